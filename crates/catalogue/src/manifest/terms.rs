//! What the catalogue says of a dataset as a whole.
//!
//! The keys are those of Chinese public data catalogues: form, sharing and update frequency follow the guide for
//! compiling government information resource catalogues (政务信息资源目录编制指南（试行）, 2017), the grades follow
//! GB/T 43697-2024.

/// A closed list of names, as a manifest writes them.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them, in the order a message lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in a manifest.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

choices! {
    /// The form the provider keeps the data in (信息资源格式).
    Form {
        /// Tables of a database (数据库).
        Database = "database",
        /// A spreadsheet (电子表格).
        Spreadsheet = "spreadsheet",
        /// A file (电子文件).
        File = "file",
        /// Graphics or images (图形图像).
        Graphics = "graphics",
        /// A stream of media (流媒体).
        Stream = "stream",
        /// A format that describes itself (自描述格式).
        SelfDescribing = "self-describing",
        /// A service interface (接口).
        Interface = "interface",
    }
}

choices! {
    /// Grade of the data (数据分级, GB/T 43697-2024), the least sensitive first.
    Grading {
        /// General data, level 1 (一般数据 1 级).
        General1 = "general-1",
        /// General data, level 2 (一般数据 2 级).
        General2 = "general-2",
        /// General data, level 3 (一般数据 3 级).
        General3 = "general-3",
        /// General data, level 4 (一般数据 4 级).
        General4 = "general-4",
        /// Important data (重要数据).
        Important = "important",
        /// Core data (核心数据).
        Core = "core",
    }
}

choices! {
    /// How often the data is updated (更新周期).
    Frequency {
        /// As things happen (实时).
        RealTime = "real-time",
        /// Every day (每日).
        Daily = "daily",
        /// Every week (每周).
        Weekly = "weekly",
        /// Every month (每月).
        Monthly = "monthly",
        /// Every quarter (每季度).
        Quarterly = "quarterly",
        /// Every half year (每半年).
        HalfYearly = "half-yearly",
        /// Every year (每年).
        Yearly = "yearly",
        /// Without a rhythm (不定期).
        Irregular = "irregular",
        /// Not any more (不更新).
        Never = "never",
    }
}

choices! {
    /// How two columns of a row must stand to each other.
    Relation {
        /// Left is smaller than right.
        Less = "less",
        /// Left is smaller than right or equal.
        AtMost = "at-most",
        /// Left and right are equal.
        Equal = "equal",
        /// Left and right differ.
        Different = "different",
    }
}

impl Frequency {
    /// Days after which the next update is overdue; `None` where none is promised.
    pub fn days(self) -> Option<u32> {
        Some(match self {
            Self::RealTime | Self::Daily => 1,
            Self::Weekly => 7,
            Self::Monthly => 31,
            Self::Quarterly => 92,
            Self::HalfYearly => 184,
            Self::Yearly => 366,
            Self::Irregular | Self::Never => return None,
        })
    }
}

/// Whether other departments may have the data (共享类型).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// Every department may (无条件共享).
    Unconditional,
    /// On a condition (有条件共享); `None` where the manifest says nothing of sharing.
    Conditional(Option<String>),
    /// Nobody may (不予共享, the negative list), by this law or rule.
    NotShared(String),
}

impl Sharing {
    /// The name in a manifest.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::Conditional(_) => "conditional",
            Self::NotShared(_) => "not-shared",
        }
    }

    /// The condition or the legal basis, whichever there is.
    pub fn ground(&self) -> Option<&str> {
        match self {
            Self::Unconditional => None,
            Self::Conditional(condition) => condition.as_deref(),
            Self::NotShared(basis) => Some(basis),
        }
    }
}

/// Whether the public may have the data (开放类型).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Anybody may (无条件开放).
    Unconditional,
    /// On this condition (有条件开放).
    Conditional(String),
    /// Nobody may (不予开放).
    NotOpen,
}

impl Opening {
    /// The name in a manifest.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::Conditional(_) => "conditional",
            Self::NotOpen => "not-open",
        }
    }

    /// The condition, where there is one.
    pub fn condition(&self) -> Option<&str> {
        match self {
            Self::Conditional(condition) => Some(condition),
            _ => None,
        }
    }
}

/// How long the data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Years.
    Years(u32),
    /// Months.
    Months(u32),
    /// Days.
    Days(u32),
}

impl Retention {
    /// As an ISO 8601 duration, such as `P5Y`.
    pub fn iso8601(self) -> String {
        match self {
            Self::Years(count) => format!("P{count}Y"),
            Self::Months(count) => format!("P{count}M"),
            Self::Days(count) => format!("P{count}D"),
        }
    }
}

/// Whom to ask about the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// A person or an office.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// What must hold between two columns in every row that has both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Position of the left column among the manifest's.
    pub left: usize,
    /// How they must stand to each other.
    pub relation: Relation,
    /// Position of the right column among the manifest's; of the same type.
    pub right: usize,
    /// What the rule says, for people.
    pub description: String,
}

/// The catalogue's terms. What a manifest leaves out is `None` or empty, or the stricter choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// A name for people.
    pub title: Option<String>,
    /// The department the data comes from (数源单位).
    pub provider: Option<String>,
    /// The form the provider keeps it in.
    pub form: Option<Form>,
    /// Path of categories, the widest first (数据分类).
    pub classification: Vec<String>,
    /// Grade; `general-4` unless declared.
    pub grading: Grading,
    /// Sharing between departments; conditional unless declared.
    pub sharing: Sharing,
    /// Opening to the public; not open unless declared.
    pub opening: Opening,
    /// How often it is updated.
    pub update_frequency: Option<Frequency>,
    /// Position of the date or timestamp column that says how new a row is.
    pub time_column: Option<usize>,
    /// Scenarios it is offered for.
    pub scenarios: Vec<String>,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// How long it is kept.
    pub retention: Option<Retention>,
    /// Whom to ask.
    pub contact: Option<Contact>,
}
