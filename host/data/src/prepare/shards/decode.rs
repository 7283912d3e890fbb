//! Decodes images on several threads and hands them on in order, in bounded memory.
//!
//! One thread reads groups of images, a pool decodes each group, and the caller takes what comes
//! out: three at work, with at most a group or two between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::super::PrepareError;
use crate::encoded::EncodedImages;
use crate::image::{DecodedImage, Decoder, Form, ImageError};

/// A group ends when it has so many images or so many bytes.
const GROUP_IMAGES: usize = 128;
const GROUP_BYTES: usize = 32 << 20;

/// Groups that may wait between two threads.
const WAITING: usize = 1;

/// Positions and what lies there.
type Group<T> = Result<Vec<(u32, T)>, PrepareError>;
type Decoded = Result<DecodedImage, ImageError>;

/// Calls `each` with every image of `set` at `positions`, decoded into `form`, in order, until it
/// fails.
///
/// # Errors
/// That of `each`, of reading, or [`PrepareError::Cancelled`] once `cancelled` is set.
pub(super) fn decode_in_order(
    set: &dyn EncodedImages,
    positions: &[u32],
    form: Form,
    pool: &ThreadPool,
    cancelled: &AtomicBool,
    each: &mut dyn FnMut(u32, Decoded) -> Result<(), PrepareError>,
) -> Result<(), PrepareError> {
    thread::scope(|scope| {
        let (to_decode, encoded) = sync_channel(WAITING);
        let (to_caller, decoded) = sync_channel(WAITING);
        scope.spawn(move || read(set, positions, &to_decode));
        scope.spawn(move || decode(encoded, form, pool, &to_caller));
        // Whoever stops taking drops its end, and those before it stop at their next group.
        for group in decoded {
            for (position, image) in group? {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(PrepareError::Cancelled);
                }
                each(position, image)?;
            }
        }
        Ok(())
    })
}

fn read(set: &dyn EncodedImages, positions: &[u32], groups: &SyncSender<Group<Vec<u8>>>) {
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
    form: Form,
    pool: &ThreadPool,
    decoded: &SyncSender<Group<Decoded>>,
) {
    for group in groups {
        let group = group.map(|group| {
            pool.install(|| {
                group
                    .into_par_iter()
                    .map_init(
                        || Decoder::new(form),
                        |decoder, (position, bytes)| (position, decoder.decode(&bytes)),
                    )
                    .collect()
            })
        });
        if decoded.send(group).is_err() {
            return;
        }
    }
}
