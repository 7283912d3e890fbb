//! Shares cards among the actions that are executed at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::card::{Card, Cards};

/// The cards of a run, and how many actions may compute on each at a time.
pub(crate) struct CardPool {
    slots: Mutex<Vec<Slot>>,
}

struct Slot {
    card: Card,
    /// How many actions may compute on it at a time.
    most: usize,
    /// How many do.
    held: usize,
    /// Whether it failed under an action.
    failed: bool,
}

/// A card that is held for one action.
pub(crate) struct HeldCard<'a> {
    pool: &'a CardPool,
    at: usize,
    pub(crate) card: Card,
}

impl CardPool {
    /// `shared` actions at a time, spread evenly over the cards; one on each where nothing is said.
    pub(crate) fn new(cards: Option<&Cards>, shared: Option<usize>) -> Self {
        let cards = cards.map_or(&[][..], Cards::as_slice);
        let slots = cards.iter().enumerate().map(|(at, card)| Slot {
            card: card.clone(),
            most: shared.map_or(1, |all| {
                all / cards.len() + usize::from(at < all % cards.len())
            }),
            held: 0,
            failed: false,
        });
        Self {
            slots: Mutex::new(slots.collect()),
        }
    }

    /// The card on which the fewest compute, if one is free. One that failed is left alone as long as
    /// there is another.
    pub(crate) fn take(&self) -> Option<HeldCard<'_>> {
        let mut slots = self.slots();
        let mut shared = slots.iter().filter(|slot| slot.most > 0);
        let all_failed = shared.all(|slot| slot.failed);
        let usable = |slot: &Slot| slot.held < slot.most && (all_failed || !slot.failed);
        let free = slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| usable(slot));
        let (at, slot) = free.min_by_key(|(_, slot)| slot.held)?;
        slot.held += 1;
        Some(HeldCard {
            pool: self,
            at,
            card: slot.card.clone(),
        })
    }

    /// The number of further actions that the cards take at a time.
    pub(crate) fn free(&self) -> usize {
        let slots = self.slots();
        let free = slots.iter().map(|slot| slot.most.saturating_sub(slot.held));
        free.sum()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldCard<'_> {
    /// Notes that the card failed, so that it does not fail one action after the other.
    pub(crate) fn note_failure(&self) {
        self.pool.slots()[self.at].failed = true;
    }
}

impl Drop for HeldCard<'_> {
    fn drop(&mut self) {
        self.pool.slots()[self.at].held -= 1;
    }
}
