//! A float network as a list of linear layers.

/// `y = x weights + bias`, then `max(y, 0)` if `relu`.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    pub name: String,
    pub k: usize,
    pub n: usize,
    /// Row-major `k x n`.
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
    pub relu: bool,
}

/// Layers in order; the output of each is the input of the next.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    pub input_len: usize,
    pub layers: Vec<FloatLayer>,
}

impl FloatNetwork {
    pub fn output_len(&self) -> usize {
        self.layers.last().map_or(self.input_len, |layer| layer.n)
    }

    /// The outputs of every layer for row-major inputs of `input_len` columns. Sums are in f64, values between layers in f32.
    ///
    /// # Panics
    /// If `inputs` is not a whole number of rows.
    pub fn forward_all(&self, inputs: &[f32]) -> Vec<Vec<f32>> {
        assert!(
            inputs.len().is_multiple_of(self.input_len),
            "{} inputs do not make rows of {}",
            inputs.len(),
            self.input_len
        );
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let next = layer.forward(outputs.last().map_or(inputs, |last| last));
            outputs.push(next);
        }
        outputs
    }

    /// The outputs of the last layer; see [`FloatNetwork::forward_all`].
    ///
    /// # Panics
    /// If `inputs` is not a whole number of rows.
    pub fn forward(&self, inputs: &[f32]) -> Vec<f32> {
        self.forward_all(inputs).pop().unwrap_or_else(|| inputs.to_vec())
    }
}

impl FloatLayer {
    fn forward(&self, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = Vec::with_capacity(inputs.len() / self.k * self.n);
        for row in inputs.chunks_exact(self.k) {
            let mut sums: Vec<f64> = self.bias.iter().map(|&bias| bias.into()).collect();
            for (&x, weights) in row.iter().zip(self.weights.chunks_exact(self.n)) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += f64::from(x) * f64::from(weight);
                }
            }
            let activate = |sum: f64| if self.relu { sum.max(0.0) } else { sum };
            outputs.extend(sums.into_iter().map(|sum| activate(sum) as f32));
        }
        outputs
    }
}

/// How many rows of `classes` scores have their greatest (the first of equals) at the row's label.
///
/// # Panics
/// If there are not as many rows as labels.
pub fn count_correct<T: PartialOrd + Copy>(scores: &[T], classes: usize, labels: &[i64]) -> usize {
    assert_eq!(scores.len(), classes * labels.len(), "there must be one row of {classes} scores per label");
    let best = |row: &[T]| (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    scores.chunks_exact(classes).zip(labels).filter(|(row, &label)| i64::try_from(best(row)) == Ok(label)).count()
}
