//! Decodes images on several threads and hands them on in order, in bounded memory.
//!
//! One thread reads groups of images, a pool decodes each group, and the caller takes what comes
//! out: three at work, with at most a group or two between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::error::DatasetError;
use crate::image::{DecodedImage, Decoder, ImageError};
use crate::sources::{ImageSet, ImageStorage};
use crate::table::ImageShape;

/// A group ends when it has so many images or so many bytes.
const GROUP_IMAGES: usize = 128;
const GROUP_BYTES: usize = 32 << 20;

/// Groups that may wait between two threads.
const WAITING: usize = 1;

/// Positions and what lies there.
type Group<T> = Result<Vec<(u32, T)>, DatasetError>;
type Decoded = Result<DecodedImage, ImageError>;

/// Calls `each` with every image of `set` at `positions`, decoded as its storage asks for, in order, until it
/// fails.
///
/// # Errors
/// That of `each`, of reading, or [`DatasetError::Cancelled`] once `cancelled` is set.
pub(super) fn decode_in_order(
    set: &dyn ImageSet,
    positions: &[u32],
    storage: ImageStorage,
    pool: &ThreadPool,
    cancelled: &AtomicBool,
    each: &mut dyn FnMut(u32, Decoded) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    thread::scope(|scope| {
        let (to_decode, encoded) = sync_channel(WAITING);
        let (to_caller, decoded) = sync_channel(WAITING);
        scope.spawn(move || read(set, positions, &to_decode));
        scope.spawn(move || decode(encoded, storage, pool, &to_caller));
        // Whoever stops taking drops its end, and those before it stop at their next group.
        for group in decoded {
            for (position, image) in group? {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(DatasetError::Cancelled);
                }
                each(position, image)?;
            }
        }
        Ok(())
    })
}

fn read(set: &dyn ImageSet, positions: &[u32], groups: &SyncSender<Group<Vec<u8>>>) {
    let mut images = positions.iter().copied().zip(set.stream(positions));
    loop {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_IMAGES && bytes < GROUP_BYTES {
            match images.next() {
                Some((position, Ok(image))) => {
                    bytes += image.len();
                    group.push((position, image));
                }
                Some((_, Err(error))) => {
                    // Images that were read before the failure are handed on before it.
                    let _ = groups
                        .send(Ok(group))
                        .and_then(|()| groups.send(Err(error)));
                    return;
                }
                None => {
                    let _ = groups.send(Ok(group));
                    return;
                }
            }
        }
        if groups.send(Ok(group)).is_err() {
            return;
        }
    }
}

fn decode(
    groups: Receiver<Group<Vec<u8>>>,
    storage: ImageStorage,
    pool: &ThreadPool,
    decoded: &SyncSender<Group<Decoded>>,
) {
    for group in groups {
        let group = group.map(|group| {
            pool.install(|| {
                group
                    .into_par_iter()
                    .map_init(
                        || Reader::new(storage),
                        |reader, (position, bytes)| (position, reader.decode(bytes)),
                    )
                    .collect()
            })
        });
        if decoded.send(group).is_err() {
            return;
        }
    }
}

/// Decodes stored images one after the other.
enum Reader {
    Pixels(ImageShape),
    Files(Box<Decoder>),
}

impl Reader {
    fn new(storage: ImageStorage) -> Self {
        match storage {
            ImageStorage::Pixels(shape) => Self::Pixels(shape),
            ImageStorage::Files(form, _) => Self::Files(Box::new(Decoder::new(form))),
        }
    }

    fn decode(&mut self, bytes: Vec<u8>) -> Decoded {
        match self {
            Self::Pixels(shape) => Ok(DecodedImage {
                shape: *shape,
                pixels: bytes,
            }),
            Self::Files(decoder) => decoder.decode(&bytes),
        }
    }
}
