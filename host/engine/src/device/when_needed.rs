//! Cards for recorded actions, which say themselves whether they need one.

use std::sync::OnceLock;

use assay_core::Action;
use assay_store::Store;

use super::card::{Card, Cards};
use super::error::DeviceError;
use super::request::CardRequest;
use crate::cancel::Cancel;
use crate::environment::{Unmet, is_on_card, is_portable, unmet_by_card};

/// Cards that are looked for when the first action needs one.
pub struct CardsWhenNeeded<'a> {
    request: CardRequest,
    portable: bool,
    cancel: &'a Cancel,
    opened: OnceLock<Result<Cards, DeviceError>>,
}

impl<'a> CardsWhenNeeded<'a> {
    /// The cards that are asked for, which must be there; without a request the first card, if an
    /// action needs one. With `portable`, portable actions compute on them too.
    ///
    /// # Errors
    /// A card that is asked for is not there.
    pub fn new(
        request: Option<&CardRequest>,
        portable: bool,
        cancel: &'a Cancel,
    ) -> Result<Self, DeviceError> {
        let cards = Self {
            request: request.cloned().unwrap_or_default(),
            portable,
            cancel,
            opened: OnceLock::new(),
        };
        if request.is_some() {
            cards.open()?;
        }
        Ok(cards)
    }

    /// The cards.
    pub(crate) fn open(&self) -> Result<&Cards, DeviceError> {
        let opened = self
            .opened
            .get_or_init(|| Cards::open(&self.request, self.cancel));
        opened.as_ref().map_err(Clone::clone)
    }

    /// True for an action that computes on a card.
    pub(crate) fn serve(&self, action: &Action) -> bool {
        let environment = action.environment.as_ref();
        is_on_card(environment) || self.portable && is_portable(environment)
    }

    /// The first card, for an action that computes on one.
    ///
    /// # Errors
    /// It is not there.
    pub fn first_for(&self, action: &Action) -> Result<Option<Card>, DeviceError> {
        if !self.serve(action) {
            return Ok(None);
        }
        Ok(self.open()?.as_slice().first().cloned())
    }

    /// Every field of what decided the bits of an action on a card that is another one here; none for
    /// an action that computes on the processor.
    ///
    /// # Errors
    /// There is no card, or it cannot be asked.
    pub fn unmet(&self, store: &Store, action: &Action) -> Result<Vec<Unmet>, DeviceError> {
        let environment = action.environment.as_ref();
        let environment = environment.filter(|it| is_on_card(Some(it)));
        let (Some(environment), Some(plugin)) = (environment, &action.plugin) else {
            return Ok(Vec::new());
        };
        let library = store.object_path(plugin.hash.into());
        let cards = self.open()?;
        let here = cards.environment(&library, &environment.libtorch, self.cancel)?;
        Ok(unmet_by_card(action, &here))
    }
}
