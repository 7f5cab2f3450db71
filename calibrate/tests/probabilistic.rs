mod common;
use calibrate::*;
use golden::*;
use common::digits;

fn with(layers: &[Linear], values: &[Vec<i32>], scales: &[Vec<f32>]) -> Vec<Linear> {
    layers.iter().zip(values).zip(scales).map(|((layer, values), scales)| {
        let weights = values.iter().enumerate().map(|(at, &q)| q as f32 * scales[if scales.len() == 1 { 0 } else { at % layer.n }]).collect();
        Linear { weights, ..layer.clone() }
    }).collect()
}

fn acc(layers: &[Linear], x: &[f32], labels: &[usize]) -> f64 {
    let all = outputs(layers, x).unwrap();
    accuracy(all.last().unwrap(), labels, 10).unwrap()
}

#[test]
fn tmp() {
    let d = digits();
    println!("float {}", acc(&d.layers, &d.test, &d.labels));
    let f = QFormat::new(Kind::Signed, 2, Range::Narrow).unwrap();
    for (per, method) in [(Per::Tensor, Method::MinMax), (Per::Tensor, Method::Mse), (Per::Channel, Method::Mse), (Per::Channel, Method::MinMax)] {
        let scales: Vec<Vec<f32>> = d.layers.iter().map(|l| weight_scales(&l.weights, [l.k, l.n], f, method, per, Grid::Any).unwrap()).collect();
        let near: Vec<Vec<i32>> = d.layers.iter().zip(&scales).map(|(l, s)| weight_quantizer(f, s, l.n).unwrap().quantize(&l.weights, &[l.k, l.n]).unwrap()).collect();
        println!("{per:?} {method:?} nearest {:.3}", acc(&with(&d.layers, &near, &scales), &d.test, &d.labels));
        // adaround layer by layer
        let mut ad = Vec::new(); let mut x = d.calibration.clone();
        let mut layers = d.layers.clone();
        for i in 0..2 {
            let l = &d.layers[i];
            let r = adaround(&l.weights, [l.k, l.n], &x, &scales[i], f).unwrap();
            println!("  adaround err {} -> {}", r.nearest_error, r.error);
            ad.push(r.values);
            layers[i] = with(&d.layers[i..=i], &ad[i..=i], &scales[i..=i]).remove(0);
            layers[i].bias = bias_correction(&l.weights, &layers[i].weights, [l.k, l.n], &x, &l.bias).unwrap();
            x = outputs(&layers[..=i], &d.calibration).unwrap().pop().unwrap().iter().map(|&x| x as f32).collect();
        }
        println!("  adaround {:.3}", acc(&layers, &d.test, &d.labels));
        let levels: Vec<LayerLevels> = scales.iter().map(|s| LayerLevels { levels: &[-1, 0, 1], scales: s }).collect();
        for (rounds, rate, spread, entropy) in [(200, 0.05, 0.5, 0.0), (200, 0.05, 0.5, 0.3), (200, 0.05, 0.5, 1.0), (200, 0.05, 0.5, 3.0), (200, 0.02, 0.5, 1.0), (200, 0.1, 0.5, 1.0), (200,0.05,1.0,1.0)] {
            let t = std::time::Instant::now();
            let r = learn_levels(&d.layers, &levels, &d.calibration, Target::FloatNetwork, Learning { rounds, batch: 32, rate, spread, entropy, seed: 1 }).unwrap();
            println!("  {rounds} {rate} {spread} {entropy}: acc {:.3} loss {:.3} -> {:.3} entropy {:?} {:?}", acc(&with(&d.layers, &r.values, &scales), &d.test, &d.labels), r.losses[0], r.losses.last().unwrap(), r.entropy_bits, t.elapsed());
        }
    }
}
