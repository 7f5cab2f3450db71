//! The memory image: packed tensors of any element width, independent of the mesh's shape.
//!
//! A matrix is stored row by row; each row is packed least significant bit first and padded with zeros to a byte.

use bitvec::field::BitField;
use bitvec::order::Lsb0;
use bitvec::view::BitView;
use spec::Format;

/// Every region starts at a multiple of this many bytes, so that bursts of any bus are aligned.
pub const ALIGN: usize = 64;

/// A packed matrix in external memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub address: usize,
    pub rows: usize,
    pub cols: usize,
    pub format: Format,
}

impl Region {
    /// Bytes from one row to the next.
    pub fn stride(&self) -> usize {
        (self.cols * self.format.bits() as usize).div_ceil(8)
    }

    pub fn bytes(&self) -> usize {
        self.rows * self.stride()
    }

    /// Byte address and bit within the byte of an element.
    pub fn locate(&self, row: usize, col: usize) -> (usize, u8) {
        let bit = col * self.format.bits() as usize;
        (self.address + row * self.stride() + bit / 8, (bit % 8) as u8)
    }

    /// Writes a row-major matrix of values in the region's format.
    pub fn write(&self, memory: &mut [u8], values: &[i32]) {
        let bits = self.format.bits() as usize;
        for (row, values) in values.chunks_exact(self.cols).enumerate() {
            let from = self.address + row * self.stride();
            pack(&mut memory[from..from + self.stride()], bits, values.iter().map(|&v| self.format.encode(v.into())));
        }
    }

    /// Reads the region back as a row-major matrix.
    pub fn read(&self, memory: &[u8]) -> Vec<i32> {
        let bits = self.format.bits() as usize;
        let mut values = Vec::with_capacity(self.rows * self.cols);
        for row in 0..self.rows {
            let from = self.address + row * self.stride();
            let packed = memory[from..from + self.stride()].view_bits::<Lsb0>();
            values.extend(
                packed.chunks_exact(bits).take(self.cols).map(|chunk| self.format.decode(chunk.load_le()) as i32),
            );
        }
        values
    }
}

/// Packs `values` of `bits` bits one after another into zeroed bytes.
pub fn pack(bytes: &mut [u8], bits: usize, values: impl IntoIterator<Item = u64>) {
    for (chunk, value) in bytes.view_bits_mut::<Lsb0>().chunks_exact_mut(bits).zip(values) {
        chunk.store_le(value);
    }
}

/// Memory that grows region by region.
#[derive(Clone, Debug, Default)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Image {
    /// Appends `n_bytes` zero bytes at a multiple of [`ALIGN`] and returns their address.
    pub fn allocate(&mut self, n_bytes: usize) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.allocate_aligned(n_bytes, ALIGN)
    }

    /// Appends `n_bytes` zero bytes at a multiple of `align`, filled up to a multiple of it.
    pub fn allocate_aligned(&mut self, n_bytes: usize, align: usize) -> usize {
        let address = self.bytes.len().next_multiple_of(align);
        self.bytes.resize((address + n_bytes).next_multiple_of(align), 0);
        address
    }

    /// Allocates a matrix.
    pub fn matrix(&mut self, rows: usize, cols: usize, format: Format) -> Region {
        let mut region = Region { address: 0, rows, cols, format };
        region.address = self.allocate(region.bytes());
        region
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bit_rows_are_padded_to_bytes() {
        let mut image = Image::default();
        let first = image.allocate(1);
        let region = image.matrix(2, 3, Format::new(5, false));
        assert_eq!((first, region.address, region.stride(), region.bytes()), (0, 64, 2, 4));
        region.write(image.bytes_mut(), &[1, 2, 31, 16, 0, 3]);
        // 1 | 2 << 5 | 31 << 10 = 0x7c41; 16 | 3 << 10 = 0x0c10.
        assert_eq!(&image.bytes_mut()[64..68], &[0x41, 0x7c, 0x10, 0x0c]);
        assert_eq!(region.read(image.bytes_mut()), [1, 2, 31, 16, 0, 3]);
        assert_eq!(region.locate(1, 2), (67, 2));
    }

    #[test]
    fn every_width_reads_back_what_was_written() {
        for bits in 1..=16 {
            for signed in [false, true] {
                let format = Format::new(bits, signed);
                let values: Vec<i32> = (0..7 * 11).map(|i| format.wrap(i * 40_503 + i64::from(bits)) as i32).collect();
                let mut image = Image::default();
                let region = image.matrix(7, 11, format);
                region.write(image.bytes_mut(), &values);
                assert_eq!(region.read(image.bytes_mut()), values);
            }
        }
    }
}
