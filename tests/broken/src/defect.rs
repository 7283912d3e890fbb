//! Defects of the algorithms. Each algorithm has a name of its own, and at most one defect.

/// The defect of an algorithm of this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Nothing.
    None,
    /// Nothing, and its schema leaves no room for plain gradient descent.
    NoneBounded,
    NoDefault,
    NoSchema,
    OtherDefault,
    RefusesOwnDefault,
    TakesUnknownKeys,
    TakesBadValues,
    RefusesWithoutWords,
    RefusesWithoutCode,
    NormalisesBatches,
    CountsPredictions,
    SharesState,
    IgnoresSeed,
    ForgetsMoments,
    TakesBadStates,
    ReportsUndeclared,
    ReportsTooLittle,
    ReportsInfinity,
    AveragesNothing,
    Aborts,
    Panics,
    Hangs,
    IgnoresCancellation,
    AsksOn,
    ScalesDirections,
    Ascends,
    IsLinear,
    BendsGradient,
    RenamesGradient,
    PromisesLittle,
    PromisesTooMuch,
    Leaks,
    Prints,
    CountsThreads,
    MindsInstructions,
    IgnoresOrder,
    NoticesOthers,
}

/// Every algorithm: its name, what is wrong with it, and that in words.
pub(crate) const ALGORITHMS: &[(&str, Defect, &str)] = &[
    ("right", Defect::None, "Backpropagation as it should be."),
    (
        "right-bounded",
        Defect::NoneBounded,
        "Backpropagation as it should be, with an epsilon of at most 1.",
    ),
    (
        "no-default",
        Defect::NoDefault,
        "A hyper-parameter without a default.",
    ),
    (
        "no-schema",
        Defect::NoSchema,
        "A schema with a type that there is not.",
    ),
    (
        "other-default",
        Defect::OtherDefault,
        "A schema that states other defaults than its own.",
    ),
    (
        "refuses-own-default",
        Defect::RefusesOwnDefault,
        "A schema that refuses a default of its own.",
    ),
    (
        "takes-unknown-keys",
        Defect::TakesUnknownKeys,
        "Unknown keys are taken in silence.",
    ),
    (
        "takes-bad-values",
        Defect::TakesBadValues,
        "Learning rates below zero are taken.",
    ),
    (
        "refuses-without-words",
        Defect::RefusesWithoutWords,
        "Bad values are refused in silence.",
    ),
    (
        "refuses-without-code",
        Defect::RefusesWithoutCode,
        "Networks are refused as any failure.",
    ),
    (
        "normalises-batches",
        Defect::NormalisesBatches,
        "Predictions depend on their batch.",
    ),
    (
        "counts-predictions",
        Defect::CountsPredictions,
        "Predictions are counted in the state.",
    ),
    (
        "shares-state",
        Defect::SharesState,
        "A learner trains by the seed of another.",
    ),
    ("ignores-seed", Defect::IgnoresSeed, "All seeds are one."),
    (
        "forgets-moments",
        Defect::ForgetsMoments,
        "The optimiser's moments are not saved.",
    ),
    (
        "takes-bad-states",
        Defect::TakesBadStates,
        "Any bytes are taken for a state.",
    ),
    (
        "reports-undeclared",
        Defect::ReportsUndeclared,
        "A metric that is not declared.",
    ),
    (
        "reports-too-little",
        Defect::ReportsTooLittle,
        "A metric that is declared alone.",
    ),
    (
        "reports-infinity",
        Defect::ReportsInfinity,
        "A metric that may divide by zero.",
    ),
    (
        "averages-nothing",
        Defect::AveragesNothing,
        "The mean over an epoch without batches.",
    ),
    (
        "aborts",
        Defect::Aborts,
        "Ends the process at a batch of one sample.",
    ),
    (
        "panics",
        Defect::Panics,
        "Reads past the end of a batch of one sample.",
    ),
    (
        "hangs",
        Defect::Hangs,
        "Never returns from a batch of one sample.",
    ),
    (
        "ignores-cancellation",
        Defect::IgnoresCancellation,
        "A request to stop is an end.",
    ),
    (
        "asks-on",
        Defect::AsksOn,
        "A request to stop has to be made three times.",
    ),
    (
        "scales-directions",
        Defect::ScalesDirections,
        "The first layer's directions are doubled.",
    ),
    (
        "ascends",
        Defect::Ascends,
        "Directions that point the other way.",
    ),
    (
        "bends-gradient",
        Defect::BendsGradient,
        "Backpropagation beside it doubles the first layer's gradient.",
    ),
    (
        "renames-gradient",
        Defect::RenamesGradient,
        "Backpropagation beside it has names of its own for parameters.",
    ),
    (
        "is-linear",
        Defect::IsLinear,
        "A deep network of linear layers.",
    ),
    (
        "promises-little",
        Defect::PromisesLittle,
        "A deep network of linear layers that declares what these can reach.",
    ),
    (
        "promises-too-much",
        Defect::PromisesTooMuch,
        "Trains the last layer alone, and declares more than that can reach.",
    ),
    (
        "leaks",
        Defect::Leaks,
        "Every learner leaves two pages behind.",
    ),
    (
        "prints",
        Defect::Prints,
        "Each epoch is announced on standard output.",
    ),
    (
        "counts-threads",
        Defect::CountsThreads,
        "Called portable, and learns a little faster with more threads.",
    ),
    (
        "minds-instructions",
        Defect::MindsInstructions,
        "Called portable, and learns a little faster without vector instructions.",
    ),
    (
        "ignores-order",
        Defect::IgnoresOrder,
        "Trains on a split that it keeps in the order of the split.",
    ),
    (
        "notices-others",
        Defect::NoticesOthers,
        "Called concurrent, and learns a little faster beside learners of other threads.",
    ),
];

impl Defect {
    /// That of the algorithm `name`.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let mut algorithms = ALGORITHMS.iter();
        algorithms.find_map(|(own, defect, _)| (*own == name).then_some(*defect))
    }
}
