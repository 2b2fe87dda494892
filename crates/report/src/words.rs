//! The languages of a report. Each text stands with its translation where it is used.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese, simplified.
    Chinese,
}

/// English, then Chinese.
pub(crate) type Words = (&'static str, &'static str);

impl Language {
    pub(crate) const fn say(self, words: Words) -> &'static str {
        match self {
            Self::English => words.0,
            Self::Chinese => words.1,
        }
    }

    /// As an HTML page names it (BCP 47).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}
