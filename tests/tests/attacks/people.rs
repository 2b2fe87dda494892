//! Made-up people with planted secrets. Whatever is random comes from a printed seed.

/// A small generator (SplitMix64, Steele, Lea and Flood 2014): the same numbers on every machine.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Seeded {
        Seeded(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn bit(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The smallest and largest income. A sum over 49 people has four digits, which is what the default policy shows.
pub(crate) const INCOMES: (i32, i32) = (101, 199);
/// A person's birthday is this and their number.
pub(crate) const BORN: i32 = 1000;
/// People of a dataset, where the attack does not ask for another number.
pub(crate) const SIZE: usize = 41;
/// The number of the person that a hostile model's constants aim at.
pub(crate) const AIMED: usize = 17;

/// One person. What anybody may know: everything but `income`, `debt` and `ill`.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    /// Day of birth. Nobody shares it, so it stands for whatever singles a person out.
    pub(crate) born: i32,
    pub(crate) ward: i32,
    pub(crate) job: &'static str,
    pub(crate) sex: &'static str,
    /// A measure, and a secret.
    pub(crate) income: i32,
    /// 0 or 1: a measure that may be compared with a literal.
    pub(crate) debt: i32,
    /// 0 or 1: marked sensitive, so no query may compare it with a literal.
    pub(crate) ill: i32,
    /// Rows of the person in the file.
    pub(crate) rows: usize,
}

/// A dataset of a population of its own, and whom the attack is after.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) name: String,
    pub(crate) persons: Vec<Person>,
    pub(crate) target: usize,
}

impl People {
    /// People of a seed, and one of them as the target.
    pub(crate) fn new(name: &str, seed: u64, size: usize) -> People {
        let mut seeded = Seeded::new(seed);
        let persons = (0..size).map(|index| Person {
            born: BORN + index as i32,
            ward: (index % 3) as i32,
            job: ["baker", "clerk"][seeded.below(2)],
            sex: ["f", "m"][index % 2],
            income: INCOMES.0 + seeded.below((INCOMES.1 - INCOMES.0 + 1) as usize) as i32,
            debt: i32::from(seeded.bit()),
            ill: i32::from(seeded.bit()),
            rows: 1,
        });
        People {
            name: name.to_owned(),
            persons: persons.collect(),
            target: seeded.below(size),
        }
    }

    pub(crate) fn whom(&self) -> &Person {
        &self.persons[self.target]
    }

    pub(crate) fn whom_mut(&mut self) -> &mut Person {
        &mut self.persons[self.target]
    }

    /// What the attack wants to know, where it is a number.
    pub(crate) fn secret(&self) -> f64 {
        f64::from(self.whom().income)
    }

    pub(crate) fn csv(&self) -> String {
        self.csv_of(|_| true)
    }

    /// The file with those alone whose number is wanted.
    pub(crate) fn csv_of(&self, wanted: impl Fn(usize) -> bool) -> String {
        let mut csv = "id,born,ward,job,sex,income,debt,ill\n".to_owned();
        for (index, person) in self
            .persons
            .iter()
            .enumerate()
            .filter(|(index, _)| wanted(*index))
        {
            let Person {
                born,
                ward,
                job,
                sex,
                income,
                debt,
                ill,
                rows,
            } = person;
            for _ in 0..*rows {
                csv += &format!("p{index},{born},{ward},{job},{sex},{income},{debt},{ill}\n");
            }
        }
        csv
    }

    pub(crate) fn manifest(&self) -> String {
        let column = |name: &str, kind: &str, role: &str, more: &str| {
            format!(
                "[[column]]\nname = \"{name}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{name}\"\n{more}"
            )
        };
        let bit = "bounds = { min = 0, max = 1 }\n";
        [
            head(&self.name, &self.name),
            column("id", "string", "identifier", ""),
            column("born", "int32", "quasi-identifier", ""),
            column("ward", "int32", "quasi-identifier", ""),
            column("job", "string", "quasi-identifier", ""),
            column("sex", "string", "quasi-identifier", ""),
            column(
                "income",
                "int32",
                "measure",
                "bounds = { min = 0, max = 200 }\n",
            ),
            column("debt", "int32", "measure", bit),
            column("ill", "int32", "sensitive", bit),
        ]
        .concat()
    }

    /// A register of the same population, `NAME_register`, of everybody but the target.
    pub(crate) fn register(&self) -> (String, String, String) {
        let name = format!("{}_register", self.name);
        let manifest = head(&name, &self.name)
            + "[[column]]\nname = \"id\"\ntype = \"string\"\nrole = \"identifier\"\ndescription = \"id\"\n\
               [[column]]\nname = \"kind\"\ntype = \"string\"\nrole = \"quasi-identifier\"\ndescription = \"kind\"\n";
        let others = (0..self.persons.len()).filter(|index| *index != self.target);
        let rows: String = others.map(|index| format!("p{index},car\n")).collect();
        (name, manifest, format!("id,kind\n{rows}"))
    }
}

pub(crate) fn head(name: &str, population: &str) -> String {
    format!(
        "name = \"{name}\"\npopulation = \"{population}\"\nunit = \"id\"\ndescription = \"made up\"\n\
         source = \"made up\"\nlicence = \"CC0-1.0\"\n"
    )
}
