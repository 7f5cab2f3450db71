//! The optimizer Adam.

/// First and second moments of gradients.
///
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1 with its own decay rates.
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    means: Vec<f64>,
    squares: Vec<f64>,
    /// beta_1^t and beta_2^t.
    decays: [f64; 2],
}

const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

impl Adam {
    pub(crate) fn new(n: usize) -> Self {
        Self { means: vec![0.0; n], squares: vec![0.0; n], decays: [1.0; 2] }
    }

    /// Moves the parameters against their gradients.
    pub(crate) fn step(&mut self, parameters: &mut [f64], gradients: &[f64], rate: f64) {
        self.decays = [self.decays[0] * BETA[0], self.decays[1] * BETA[1]];
        let [first, second] = self.decays.map(|decay| 1.0 - decay);
        for (i, (parameter, &gradient)) in parameters.iter_mut().zip(gradients).enumerate() {
            self.means[i] += (1.0 - BETA[0]) * (gradient - self.means[i]);
            self.squares[i] += (1.0 - BETA[1]) * (gradient * gradient - self.squares[i]);
            *parameter -= rate * (self.means[i] / first) / ((self.squares[i] / second).sqrt() + EPSILON);
        }
    }
}
