//! An operation and its bare twin.

use std::hint::black_box;

/// Where a ratio is to lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// As much as that of what the bare twin does in the same time.
    AtLeast(f64),
    /// That many times the bare twin's time at most.
    AtMost(f64),
}

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// How long one takes.
    Time,
    /// How many there are in a second.
    Rate,
}

/// An operation of the engine, ready to be run again and again, beside the bare cost of what it cannot do without.
pub struct Pair {
    /// Parts divided by `/`.
    pub name: String,
    /// The operation.
    pub subject: Box<dyn FnMut()>,
    /// What the bare twin is.
    pub bare_name: String,
    /// The bare twin.
    pub bare: Box<dyn FnMut()>,
    /// What the figure is of.
    pub direction: Direction,
    /// Where the ratio is to lie, if anybody has said so.
    pub goal: Option<Goal>,
    /// Whether it is on the way of every order, and so counted.
    pub is_hot: bool,
    /// What of it is done by a library that takes other instructions on other processors: cryptography in assembly.
    /// It is counted apart and left out.
    pub uncounted: Option<Box<dyn FnMut()>>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair({} beside {})", self.name, self.bare_name)
    }
}

impl Pair {
    /// An operation beside its twin. What they return is made up and dropped each time.
    pub fn new<T, U>(
        name: impl Into<String>,
        mut subject: impl FnMut() -> T + 'static,
        bare_name: impl Into<String>,
        mut bare: impl FnMut() -> U + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            subject: Box::new(move || drop(black_box(subject()))),
            bare_name: bare_name.into(),
            bare: Box::new(move || drop(black_box(bare()))),
            direction: Direction::Time,
            goal: None,
            is_hot: false,
            uncounted: None,
        }
    }

    /// It takes that many times the bare twin's time at most.
    #[must_use]
    pub fn at_most(self, ratio: f64) -> Self {
        Self { goal: Some(Goal::AtMost(ratio)), ..self }
    }

    /// Its figure is a rate, of at least so much of the bare twin's.
    #[must_use]
    pub fn rate_at_least(self, ratio: f64) -> Self {
        Self { direction: Direction::Rate, goal: Some(Goal::AtLeast(ratio)), ..self }
    }

    /// It is on the way of every order.
    #[must_use]
    pub fn hot(self) -> Self {
        Self { is_hot: true, ..self }
    }

    /// That part of it is not counted.
    #[must_use]
    pub fn without<T>(self, mut part: impl FnMut() -> T + 'static) -> Self {
        Self { uncounted: Some(Box::new(move || drop(black_box(part())))), ..self }
    }
}
