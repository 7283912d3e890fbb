//! Creation of an algorithm: the tensors that it may ask for, which are part of its state.

use std::ops::RangeInclusive;
use std::rc::Rc;

use assay_abi::ErrorCode;
use tch::{Kind, Tensor};

use crate::error::Error;
use crate::function::Function;
use crate::layer::{Layer, Map};
use crate::layout::{Canonical, Layout, Units};
use crate::maps::{Connection, Ends, Link, TrainedMap};
use crate::model::Model;
use crate::noise::{Distribution, Draw, Extent};
use crate::operand::refused;
use crate::optimiser::Optimiser;
use crate::parameters::{Group, Parameters};
use crate::rng::Initial;
use crate::tensor_slices::copy_f32;

/// The network that an algorithm is created for, and the maker of its own tensors.
///
/// Every tensor made here is saved and restored with the learner, and its first values depend on
/// the seed and its name only.
pub struct Setup<'a> {
    /// The algorithm's name.
    algorithm: &'static str,
    model: &'a Model,
    seed: u64,
    made: Made,
}

/// Maps that are trained in steps of their own.
pub(crate) struct Separate {
    /// The prefix of their tensors' names.
    pub(crate) group: &'static str,
    pub(crate) parameters: Parameters,
    /// For each map l of the `h_l` that it gives, with its units.
    pub(crate) given: Vec<(usize, Units)>,
}

/// Everything that an algorithm asked for.
#[derive(Default)]
pub(crate) struct Made {
    /// The fixed tensors with their names.
    pub(crate) fixed: Vec<(String, Canonical)>,
    /// Maps that are trained with the network.
    pub(crate) companions: Vec<Group>,
    /// Maps that are trained in steps of their own.
    pub(crate) separate: Option<Separate>,
    pub(crate) draws: Vec<Draw>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(algorithm: &'static str, model: &'a Model, seed: u64) -> Self {
        Self {
            algorithm,
            model,
            seed,
            made: Made::default(),
        }
    }

    /// The network.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// A fixed random B that takes the place of `W_lᵀ`, distributed like `W_l` times `scale`:
    /// `feedback.{l}.weight`, (`n_{l-1}`, `n_l`) for a dense layer and shaped like `W_l` for a
    /// layer with windows, whose zeros it shares. For [`Layer::feedback`](crate::Layer::feedback).
    #[track_caller]
    pub fn transposed_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let map = self.model.find(l)?.map();
        let name = format!("feedback.{l}.weight");
        self.fixed(name, &map.feedback_layout(), map.glorot(scale))
    }

    /// A fixed random B from the output error straight to layer l, Glorot-uniform times `scale`:
    /// `feedback.{l}.weight`, (`n_l`, `n_L`). For [`Layer::project`](crate::Layer::project).
    #[track_caller]
    pub fn direct_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let (units, outputs) = (
            self.model.find(l)?.map().outputs(),
            self.model.output_units(),
        );
        let initial = Initial::Glorot {
            fan_in: outputs.count(),
            fan_out: units.count(),
            scale,
        };
        let layout = Layout::matrix(units, outputs);
        self.fixed(format!("feedback.{l}.weight"), &layout, initial)
    }

    /// A fixed random matrix of the shape of [`Layer::weight`](crate::Layer::weight), distributed like
    /// `W_l` times `scale`: `feedback.{l}.weight`.
    #[track_caller]
    pub fn weight_feedback(&mut self, l: usize, scale: f64) -> Result<Tensor, Error> {
        let map = self.model.find(l)?.map();
        let layout = map.weight_layout();
        self.fixed(format!("feedback.{l}.weight"), &layout, map.glorot(scale))
    }

    /// A fixed random matrix from the output error to the inputs, uniform on ±`limit`:
    /// `feedback.input.weight`, (`n_0`, `n_L`). For [`multiply`](crate::multiply).
    #[track_caller]
    pub fn input_feedback(&mut self, limit: f64) -> Result<Tensor, Error> {
        let layout = Layout::matrix(self.model.input_units(), self.model.output_units());
        let name = "feedback.input.weight".to_owned();
        self.fixed(name, &layout, Initial::Uniform { limit })
    }

    /// Fixed random features of `inputs` values: `{name}.weight` (`units`, `inputs`) and `{name}.bias`
    /// (`units`), both Glorot-uniform.
    #[track_caller]
    pub fn random_features(
        &mut self,
        name: &str,
        units: i64,
        inputs: i64,
    ) -> Result<[Tensor; 2], Error> {
        self.features(name, Units::Flat(units), Units::Flat(inputs))
    }

    #[track_caller]
    fn features(&mut self, name: &str, units: Units, inputs: Units) -> Result<[Tensor; 2], Error> {
        let initial = Initial::Glorot {
            fan_in: inputs.count(),
            fan_out: units.count(),
            scale: 1.0,
        };
        let (weight, bias) = (Layout::matrix(units, inputs), Layout::units(units));
        Ok([
            self.fixed(format!("{name}.weight"), &weight, initial)?,
            self.fixed(format!("{name}.bias"), &bias, initial)?,
        ])
    }

    /// Maps that are trained with the network, in the same steps, by an `optimiser` of their own: one
    /// for each of `connections`, in that order. Their tensors are `{group}.{l}.weight` and, if there is
    /// one, `{group}.{l}.bias`. In every step [`Directions::map`](crate::Directions::map) writes the
    /// direction of each.
    ///
    /// # Errors
    /// Memory that cannot be allocated, a layer that there is not, or a name that is taken.
    #[track_caller]
    pub fn trained(
        &mut self,
        group: &'static str,
        optimiser: impl Into<Optimiser>,
        connections: impl IntoIterator<Item = Connection>,
    ) -> Result<Vec<TrainedMap>, Error> {
        let (maps, parameters) = self.maps(group, connections)?;
        let group = Group::new(group, parameters, &optimiser.into())?;
        self.made.companions.push(group);
        Ok(maps)
    }

    /// Maps that are trained in steps of their own, as
    /// [`Configuration::inverse_training`](crate::Configuration::inverse_training) says; otherwise as
    /// [`Setup::trained`]. To be asked for once.
    /// [`Algorithm::inverse_directions`](crate::Algorithm::inverse_directions) writes their directions.
    ///
    /// # Errors
    /// As for [`Setup::trained`], or maps of this kind that were made already.
    #[track_caller]
    pub fn separately_trained(
        &mut self,
        group: &'static str,
        connections: impl IntoIterator<Item = Connection>,
    ) -> Result<Vec<TrainedMap>, Error> {
        self.refuse_second()?;
        let connections: Vec<_> = connections.into_iter().collect();
        let (maps, parameters) = self.maps(group, connections.iter().copied())?;
        self.keep_separate(group, parameters, &maps, &connections);
        Ok(maps)
    }

    #[track_caller]
    fn refuse_second(&self) -> Result<(), Error> {
        match &self.made.separate {
            None => Ok(()),
            Some(Separate { group, .. }) => {
                let message = format!("{} asks for `{group}` maps twice", self.algorithm);
                let help = "ask once, for all layers that need a map trained in steps of its own";
                Err(refused(message, help))
            }
        }
    }

    fn keep_separate(
        &mut self,
        group: &'static str,
        parameters: Parameters,
        maps: &[TrainedMap],
        connections: &[Connection],
    ) {
        let given = maps.iter().zip(connections).map(|(map, connection)| {
            let l = connection.given().unwrap_or(connection.layer);
            (l, map.output_units())
        });
        self.made.separate = Some(Separate {
            group,
            parameters,
            given: given.collect(),
        });
    }

    /// The maps of `connections`, and the group of parameters behind them.
    #[track_caller]
    fn maps(
        &self,
        group: &'static str,
        connections: impl IntoIterator<Item = Connection>,
    ) -> Result<(Vec<TrainedMap>, Parameters), Error> {
        let mut links = Vec::new();
        for connection in connections {
            links.push((connection, self.link(connection)?));
        }
        self.maps_of(group, links)
    }

    #[track_caller]
    fn maps_of(
        &self,
        group: &'static str,
        links: Vec<(Connection, Link)>,
    ) -> Result<(Vec<TrainedMap>, Parameters), Error> {
        let declarations: Vec<_> = (links.iter())
            .flat_map(|(connection, link)| connection.declarations(group, link))
            .collect();
        for (at, declaration) in declarations.iter().enumerate() {
            let same = |other: &str| other == declaration.name;
            let earlier = declarations[..at].iter().any(|it| same(&it.name));
            if earlier || self.is_taken(&declaration.name) {
                return Err(self.taken(&declaration.name));
            }
        }
        let parameters = Parameters::new(declarations, self.seed, self.model.device())?;
        let mut tensors = parameters.tensors().cloned();
        let maps = (links.into_iter())
            .filter_map(|(connection, link)| {
                connection.map(link, self.function(connection), &mut tensors)
            })
            .collect();
        drop(tensors);
        Ok((maps, parameters))
    }

    /// The function over the sums of a connection's map.
    fn function(&self, connection: Connection) -> Function {
        if !connection.is_activated() {
            return Function::Identity;
        }
        let given = connection.given().and_then(|l| self.model.find(l).ok());
        given.map_or(Function::Tanh, Layer::function)
    }

    /// The map that a connection runs along.
    #[track_caller]
    fn link(&self, connection: Connection) -> Result<Link, Error> {
        let layer = self.model.find(connection.layer)?;
        let (units, outputs) = (layer.map().outputs(), self.model.output_units());
        let dense = |inputs, outputs| Link::Forwards(Rc::new(Map::dense(inputs, outputs)));
        Ok(match connection.ends {
            Ends::Transposed => Link::Backwards(Rc::clone(layer.map())),
            Ends::Into(None) => dense(outputs, units),
            Ends::Into(Some(inputs)) => dense(Units::Flat(inputs), units),
            Ends::Head => dense(units, outputs),
            Ends::Within => dense(units, units),
        })
    }

    fn is_taken(&self, name: &str) -> bool {
        let fixed = self.made.fixed.iter().map(|(name, _)| name.as_str());
        let separate = self.made.separate.iter().map(|it| &it.parameters);
        let companions = self.made.companions.iter().map(|group| &group.parameters);
        let trained = companions.chain(separate).flat_map(Parameters::tensors);
        fixed
            .chain(trained.map(|tensor| tensor.name.as_str()))
            .any(|it| it == name)
    }

    #[track_caller]
    fn taken(&self, name: &str) -> Error {
        let message = format!("{} makes two tensors of the name `{name}`", self.algorithm);
        let help =
            "each is saved under its name: ask once for each layer, for one kind of feedback";
        refused(message, help)
    }

    /// Random numbers shaped like `h_l`, l from 0, fresh in every update. A restored learner draws
    /// what it would have drawn; a caller of the directions may give them as `noise.{tag}.{l}`, (B,
    /// `n_l`).
    ///
    /// # Errors
    /// A layer that there is not, or a name that is taken.
    #[track_caller]
    pub fn draw(&mut self, tag: &str, l: usize, distribution: Distribution) -> Result<Draw, Error> {
        let units = match l {
            0 => self.model.input_units(),
            l => self.model.find(l)?.map().outputs(),
        };
        self.declare(tag, l, Extent::Activation(units), distribution)
    }

    /// Random numbers shaped like `W_l`; otherwise as [`Setup::draw`].
    ///
    /// # Errors
    /// As for [`Setup::draw`].
    #[track_caller]
    pub fn draw_weight(
        &mut self,
        tag: &str,
        l: usize,
        distribution: Distribution,
    ) -> Result<Draw, Error> {
        let layout = self.model.find(l)?.map().weight_layout();
        self.declare(tag, l, Extent::Weight(layout), distribution)
    }

    /// Random numbers shaped like `b_l`, named `noise.{tag}.bias.{l}`; otherwise as
    /// [`Setup::draw`].
    ///
    /// # Errors
    /// As for [`Setup::draw`].
    #[track_caller]
    pub fn draw_bias(
        &mut self,
        tag: &str,
        l: usize,
        distribution: Distribution,
    ) -> Result<Draw, Error> {
        let [_, bias] = self.model.find(l)?.map().declarations(l);
        self.declare(
            &format!("{tag}.bias"),
            l,
            Extent::Weight(bias.layout),
            distribution,
        )
    }

    #[track_caller]
    fn declare(
        &mut self,
        tag: &str,
        l: usize,
        extent: Extent,
        distribution: Distribution,
    ) -> Result<Draw, Error> {
        let name = format!("noise.{tag}.{l}");
        if self.made.draws.iter().any(|draw| draw.name() == name) {
            return Err(self.taken(&name));
        }
        let draw = Draw::new(name, self.made.draws.len() as u32, extent, distribution);
        self.made.draws.push(draw.clone());
        Ok(draw)
    }

    /// A trained inverse of each of `layers`, to be asked for once. `inverse.{l}.weight` is
    /// (`n_{l-1}`, `n_l`) for a dense layer and shaped like `W_l` for a layer with windows, whose
    /// zeros it shares, and distributed like `W_l`; `inverse.{l}.bias` has the shape of `h_{l-1}`
    /// and is zero. The inverse of layer L takes `auxiliary_units` inputs more.
    ///
    /// # Errors
    /// Memory that cannot be allocated, auxiliary units beside an output that is an image, a layer
    /// that there is not, or inverses that were made already.
    #[track_caller]
    pub fn inverses(
        &mut self,
        layers: RangeInclusive<usize>,
        auxiliary_units: i64,
    ) -> Result<Vec<TrainedMap>, Error> {
        self.refuse_second()?;
        if auxiliary_units < 0 {
            let message = format!("{auxiliary_units} auxiliary units were asked for");
            return Err(refused(message, "ask for 0 or more"));
        }
        let connections: Vec<_> = layers
            .map(|l| Connection::transposed(l).with_bias().with_activation())
            .collect();
        let mut links = Vec::new();
        for connection in &connections {
            let map = self.inverted_map(connection.layer, auxiliary_units)?;
            links.push((*connection, Link::Backwards(map)));
        }
        let group = "inverse";
        let (inverses, parameters) = self.maps_of(group, links)?;
        self.keep_separate(group, parameters, &inverses, &connections);
        Ok(inverses)
    }

    /// The map of layer l that its inverse inverts: with `auxiliary_units` outputs more if l is L.
    #[track_caller]
    fn inverted_map(&self, l: usize, auxiliary_units: i64) -> Result<Rc<Map>, Error> {
        let layer = self.model.find(l)?;
        if l < self.model.depth() || auxiliary_units == 0 {
            return Ok(Rc::clone(layer.map()));
        }
        match layer.map().as_ref() {
            Map::Dense { inputs, .. } => {
                let outputs = Units::Flat(layer.units() + auxiliary_units);
                Ok(Rc::new(Map::dense(*inputs, outputs)))
            }
            Map::Windowed(_) => Err(Error::new(
                ErrorCode::UNSUPPORTED,
                format!(
                    "layer {l}: the last layer gives an image, which auxiliary units cannot stand \
                     beside; make it fully connected, or set auxiliary_units to 0"
                ),
            )),
        }
    }

    /// A fixed random affine map of `h_{L-1}`, never trained: `auxiliary.weight`
    /// (`units`, `n_{L-1}`) and `auxiliary.bias` (`units`), both Glorot-uniform.
    #[track_caller]
    pub(crate) fn auxiliary(&mut self, units: i64) -> Result<[Tensor; 2], Error> {
        let inputs = self.model.layer(self.model.depth()).map().inputs();
        self.features("auxiliary", Units::Flat(units), inputs)
    }

    #[track_caller]
    fn fixed(&mut self, name: String, layout: &Layout, initial: Initial) -> Result<Tensor, Error> {
        if self.is_taken(&name) {
            return Err(self.taken(&name));
        }
        let tensor = Tensor::f_empty(layout.operand(), (Kind::Float, self.model.device()))?;
        let canonical = layout.canonical(&tensor)?;
        let values = initial.values(self.seed, &name, tensor.numel());
        copy_f32(canonical.view(), &values)?;
        self.made.fixed.push((name, canonical));
        Ok(tensor)
    }

    /// Everything that was made.
    pub(crate) fn finish(self) -> Made {
        self.made
    }
}
