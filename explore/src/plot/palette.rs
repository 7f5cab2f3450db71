//! Colours that the colour-blind tell apart, and with them forms and dashes that a grey print tells apart.

/// Red, green, blue.
pub type Ink = [u8; 3];

pub const BLACK: Ink = [0, 0, 0];
pub const WHITE: Ink = [255, 255, 255];
/// Of dominated points: 4.5 to 1 against black, 4.6 to 1 against white.
pub const GREY: Ink = [118, 118, 118];
pub const FAINT: Ink = [217, 217, 217];

/// Okabe and Ito's palette, without its yellow, which is faint on white.
pub const INKS: [Ink; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [0, 0, 0], [230, 159, 0]];

/// Outline of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Circle,
    Square,
    Triangle,
    Diamond,
    DownTriangle,
}

pub const FORMS: [Form; 5] = [Form::Circle, Form::Square, Form::Triangle, Form::Diamond, Form::DownTriangle];

/// Lengths of ink and gap in pixels, in turn; none for a solid line.
pub const DASHES: [&[f64]; 4] = [&[], &[9.0, 5.0], &[3.0, 4.0], &[12.0, 4.0, 3.0, 4.0]];

/// Series that can be told apart by colour, form and dash, each on its own as far as it goes.
pub const MAX_SERIES: usize = INKS.len() * 2;

/// Anchors of cividis, which gains lightness from end to end.
const CIVIDIS: [Ink; 7] =
    [[0, 32, 76], [0, 52, 110], [76, 85, 108], [124, 123, 120], [168, 156, 116], [211, 193, 100], [255, 234, 70]];

/// The colour of a share in 0..=1: dark to light, also in grey.
pub fn sequential(share: f64) -> Ink {
    let place = share.clamp(0.0, 1.0) * (CIVIDIS.len() - 1) as f64;
    let low = (place.floor() as usize).min(CIVIDIS.len() - 2);
    let part = place - low as f64;
    std::array::from_fn(|channel| {
        let (from, to) = (f64::from(CIVIDIS[low][channel]), f64::from(CIVIDIS[low + 1][channel]));
        (from + part * (to - from)).round() as u8
    })
}

/// Relative luminance as WCAG 2 has it, 0 for black and 1 for white.
pub fn luminance(ink: Ink) -> f64 {
    let linear = ink.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

/// Black or white, whichever has more contrast on that colour.
pub fn text_on(ink: Ink) -> Ink {
    // Contrast with white exceeds contrast with black below the root of 1.05 x 0.05, less 0.05.
    if luminance(ink) < 0.179 {
        WHITE
    } else {
        BLACK
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart;
    use super::*;

    #[test]
    fn a_greater_share_is_lighter_in_grey() {
        let lights: Vec<f64> = (0..=100).map(|share| luminance(sequential(f64::from(share) / 100.0))).collect();
        assert!(lights.windows(2).all(|pair| pair[0] < pair[1]), "{lights:?}");
        assert_eq!((sequential(0.0), sequential(1.0)), (CIVIDIS[0], CIVIDIS[6]));
    }

    #[test]
    fn text_on_every_share_has_the_contrast_that_wcag_asks_for() {
        for share in 0..=100 {
            let ground = sequential(f64::from(share) / 100.0);
            let (a, b) = (luminance(ground), luminance(text_on(ground)));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.5, "{share}: {contrast}");
        }
    }

    #[test]
    fn no_two_series_look_alike_in_grey() {
        let looks: Vec<(usize, usize)> =
            (0..MAX_SERIES).map(|series| (chart::form(series) as usize, chart::dash(series))).collect();
        for (at, look) in looks.iter().enumerate() {
            assert!(!looks[..at].contains(look), "series {at}");
        }
    }
}
