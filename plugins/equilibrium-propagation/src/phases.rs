//! The phases in which activities settle, free or nudged.

use assay_sdk::{Error, Layers, Pass, Temporary, Tensor, add, clear, copy, scale};

/// Activities of one batch; place l holds `s_l`, l from 0 to L − 1.
pub(super) type State<'a> = Vec<Temporary<'a>>;

/// Sets `next` to one step of the activities of every hidden layer. `drive` is added to the last one's
/// sums.
fn step(
    layers: Layers<'_>,
    state: &State<'_>,
    next: &State<'_>,
    drive: Option<&Tensor>,
) -> Result<(), Error> {
    for l in 1..layers.depth() {
        layers.layer(l).forward(&state[l - 1], &next[l])?; // W_l s_{l-1} + b_l
        if l + 1 < layers.depth() {
            let from_above = layers.temporary(l)?;
            layers.layer(l + 1).transposed(&state[l + 1], &from_above)?; // W_{l+1}ᵀ s_{l+1}
            add(&next[l], &from_above, &next[l])?;
        } else if let Some(drive) = drive {
            add(&next[l], drive, &next[l])?;
        }
        layers.layer(l).activate(&next[l])?;
    }
    Ok(())
}

/// The state of the free phase after so many `steps` from zero for `inputs`, and how far the last of
/// them moved an activity.
pub(super) fn settled<'a>(
    layers: Layers<'a>,
    inputs: &Tensor,
    steps: u32,
) -> Result<(State<'a>, f64), Error> {
    let (mut state, mut next) = (layers.activities()?, layers.activities()?);
    copy(inputs, &state[0])?;
    copy(inputs, &next[0])?;
    for s in &state[1..] {
        clear(s)?;
    }
    for _ in 0..steps {
        step(layers, &state, &next, None)?;
        std::mem::swap(&mut state, &mut next);
    }
    let mut residual = 0.0_f64;
    for (s, before) in state.iter().zip(&next).skip(1) {
        let change = s.f_sub(before)?.f_abs()?.f_max()?;
        residual = residual.max(change.f_double_value(&[])?);
    }
    Ok((state, residual))
}

/// The state after so many `steps` from the `free` one with the output nudged by `beta`, and its e.
pub(super) fn nudged<'a>(
    pass: &Pass<'a>,
    free: &State<'_>,
    beta: f64,
    steps: u32,
) -> Result<(State<'a>, Temporary<'a>), Error> {
    let depth = pass.depth();
    let (mut state, mut next) = (copy_of(pass.layers(), free)?, pass.layers().activities()?);
    copy(&free[0], &next[0])?; // x
    let (error, drive) = (pass.temporary(depth)?, pass.temporary(depth - 1)?);
    for _ in 0..steps {
        read_out(pass, &state, &error)?;
        pass.layer(depth).transposed(&error, &drive)?;
        scale(&drive, -beta)?; // −β W_Lᵀ e
        step(pass.layers(), &state, &next, Some(&drive))?;
        std::mem::swap(&mut state, &mut next);
    }
    read_out(pass, &state, &error)?;
    Ok((state, error))
}

/// A copy of a state.
pub(super) fn copy_of<'a>(layers: Layers<'a>, state: &State<'_>) -> Result<State<'a>, Error> {
    let copies = layers.activities()?;
    for (copied, s) in copies.iter().zip(state) {
        copy(s, copied)?;
    }
    Ok(copies)
}

/// Writes e of the output that `state` is read out to.
pub(super) fn read_out(pass: &Pass<'_>, state: &State<'_>, error: &Tensor) -> Result<(), Error> {
    let logits = pass.temporary(pass.depth())?;
    pass.layer(pass.depth())
        .forward(&state[pass.depth() - 1], &logits)?;
    pass.error_of(&logits, error)
}
