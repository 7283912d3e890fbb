//! Adam for one buffer of parameters.

use crate::settings::Settings;

/// Both moments.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

impl Moments {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            first: vec![0.0; count],
            second: vec![0.0; count],
        }
    }

    /// Step number `step`, from 1: moves `values` against `gradient`.
    pub(crate) fn step(
        &mut self,
        settings: &Settings,
        step: i32,
        values: &mut [f32],
        gradient: &[f32],
    ) {
        let rate = settings.learning_rate / (1.0 - settings.beta1.powi(step));
        let correction = (1.0 - settings.beta2.powi(step)).sqrt();
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, slope), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            *first += (1.0 - settings.beta1) as f32 * (slope - *first);
            *second += (1.0 - settings.beta2) as f32 * (slope * slope - *second);
            let root = f64::from(second.sqrt()) / correction + settings.epsilon;
            *value -= (rate * f64::from(*first) / root) as f32;
        }
    }
}
