//! Files of models, and the files that their tensors lie in.

use super::error::OnnxError;
use super::proto::{Model, Tensor, EXTERNAL};
use prost::bytes::Bytes;
use prost::Message;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A decoded model, and the folder in which its external data lies.
///
/// Raw data of tensors shares the memory of the file; external data is read when a layer asks for it and not kept. So
/// an import holds the file, the network that it makes and the tensors of at most two layers.
#[derive(Clone, Debug)]
pub struct ModelFile {
    pub(super) model: Model,
    folder: Option<PathBuf>,
}

impl ModelFile {
    /// The most bytes of a file: what protocol buffers allow. External data may be larger.
    pub const MOST_BYTES: u64 = i32::MAX as u64;

    /// Reads a file of at most [`ModelFile::MOST_BYTES`].
    pub fn read(path: &Path) -> Result<Self, OnnxError> {
        let failed = |source| OnnxError::Read { path: path.display().to_string(), source };
        let bytes = std::fs::metadata(path).map_err(failed)?.len();
        if bytes > Self::MOST_BYTES {
            return Err(OnnxError::TooLarge { path: path.display().to_string(), bytes, most: Self::MOST_BYTES });
        }
        let model = Model::decode(Bytes::from(std::fs::read(path).map_err(failed)?))?;
        // The parent of a bare name is the empty path, which is the current folder.
        let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        Ok(Self { model, folder: folder.map(Path::to_owned) })
    }

    /// A model without a folder: external data is refused.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, OnnxError> {
        Ok(Self { model: Model::decode(bytes.into())?, folder: None })
    }

    /// The raw data of a tensor that `node` reads; `expected` bytes if they lie in another file.
    pub(super) fn raw_data(&self, tensor: &Tensor, node: &str, expected: u64) -> Result<Bytes, OnnxError> {
        if tensor.data_location != EXTERNAL && tensor.external_data.is_empty() {
            return Ok(tensor.raw_data.clone());
        }
        let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|e| e.value.as_str());
        let location = entry("location").unwrap_or_default();
        let refuse = |rule: String| OnnxError::ExternalData {
            tensor: tensor.name.clone(),
            node: node.to_owned(),
            location: location.to_owned(),
            rule,
        };
        let number = |key: &str| {
            let text = entry(key);
            let parsed = text.map(str::parse::<u64>).transpose();
            parsed
                .map_err(|_| refuse(format!("has the {key} {:?}: it must be a whole number", text.unwrap_or_default())))
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let Some(folder) = &self.folder else {
            return Err(refuse("cannot be read: the model was not read from a folder".to_owned()));
        };
        let relative = Path::new(location);
        let plain = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
        if location.is_empty() || !relative.components().all(plain) {
            return Err(refuse("must be a path inside the model's folder".to_owned()));
        }
        let io = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
        let (folder, path) = (folder.canonicalize().map_err(io)?, folder.join(relative).canonicalize().map_err(io)?);
        if !path.starts_with(&folder) {
            return Err(refuse("must be a path inside the model's folder".to_owned()));
        }
        let mut file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let length = length.unwrap_or_else(|| size.saturating_sub(offset));
        if length != expected {
            return Err(refuse(format!("has {length} bytes, but the tensor's shape makes {expected}")));
        }
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(refuse(format!("has {size} bytes: {length} from byte {offset} on are asked for")));
        }
        let mut data = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(io)?;
        file.take(length).read_to_end(&mut data).map_err(io)?;
        Ok(data.into())
    }
}
