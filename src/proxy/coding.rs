//! Content codings (RFC 9110 §8.4.1): encoders at the quality that a proxy can afford, and
//! decoders, both in memory that is bounded whatever the body.

use std::io::{Error, ErrorKind, Result};

use async_compression::Level;
use async_compression::codecs::brotli::params::EncoderParams;
use async_compression::codecs::flate::params::FlateEncoderParams;
use async_compression::codecs::zstd::params::{CParameter, DParameter};
use async_compression::codecs::{
    BrotliDecoder, BrotliEncoder, Decode, Encode, GzipDecoder, GzipEncoder, ZstdDecoder,
    ZstdEncoder,
};
use async_compression::core::util::PartialBuffer;

use crate::limit;
use crate::snapshot::edge::Coding;

/// For each answer under way up to three MiB, brotli's being the most.
pub(super) enum Encoder {
    Zstd(ZstdEncoder),
    Brotli(Box<BrotliEncoder>),
    Gzip(Box<GzipEncoder>),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Zstd => {
                let window = [CParameter::window_log(limit::COMPRESSION_WINDOW_LOG)];
                Self::Zstd(ZstdEncoder::new_with_params(limit::COMPRESSION_ZSTD_LEVEL, &window))
            }
            Coding::Brotli => {
                let quality = Level::Precise(limit::COMPRESSION_BROTLI_QUALITY);
                let window = i32::try_from(limit::COMPRESSION_WINDOW_LOG).unwrap_or(18);
                let params = EncoderParams::default().quality(quality).window_size(window);
                Self::Brotli(Box::new(BrotliEncoder::new(params)))
            }
            Coding::Gzip => {
                let level = Level::Precise(limit::COMPRESSION_GZIP_LEVEL);
                Self::Gzip(Box::new(GzipEncoder::new(FlateEncoderParams::from(level))))
            }
        }
    }

    /// Takes all of `input`; what comes of it is appended to `out`.
    pub(super) fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut input = PartialBuffer::new(input);
        while !input.unwritten().is_empty() {
            room(out, |room| {
                match self {
                    Self::Zstd(encoder) => Encode::encode(encoder, &mut input, room),
                    Self::Brotli(encoder) => Encode::encode(&mut **encoder, &mut input, room),
                    Self::Gzip(encoder) => Encode::encode(&mut **encoder, &mut input, room),
                }
                .map(|()| true)
            })?;
        }
        Ok(())
    }

    /// Everything that was taken so far can be read from `out`.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while !room(out, |room| match self {
            Self::Zstd(encoder) => Encode::flush(encoder, room),
            Self::Brotli(encoder) => Encode::flush(&mut **encoder, room),
            Self::Gzip(encoder) => Encode::flush(&mut **encoder, room),
        })? {}
        Ok(())
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while !room(out, |room| match self {
            Self::Zstd(encoder) => Encode::finish(encoder, room),
            Self::Brotli(encoder) => Encode::finish(&mut **encoder, room),
            Self::Gzip(encoder) => Encode::finish(&mut **encoder, room),
        })? {}
        Ok(())
    }
}

/// Up to 16 MiB for each answer under way, if its server asks for brotli's widest window; eight
/// with zstd's; few pages are large enough to fill either.
pub(super) struct Decoder {
    kind: DecoderKind,
    /// Whether what was taken last was the end of the coded body.
    done: bool,
    /// Whether nothing was taken yet.
    fresh: bool,
}

/// What a decoder took.
pub(super) struct Taken {
    /// So much of its input.
    pub bytes: usize,
    /// Whether it has more to say without any.
    pub more: bool,
}

enum DecoderKind {
    Zstd(ZstdDecoder),
    Brotli(Box<BrotliDecoder>),
    Gzip(Box<GzipDecoder>),
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        let kind = match coding {
            Coding::Zstd => {
                let window = [DParameter::window_log_max(limit::INJECT_ZSTD_WINDOW_LOG_MAX)];
                DecoderKind::Zstd(ZstdDecoder::new_with_params(&window))
            }
            Coding::Brotli => DecoderKind::Brotli(Box::default()),
            Coding::Gzip => DecoderKind::Gzip(Box::default()),
        };
        Self { kind, done: false, fresh: true }
    }

    /// Takes some of `input`; what comes of it is appended to `out`, no more than a piece of it at
    /// once.
    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Taken> {
        if self.done && !input.is_empty() {
            if !self.begins_anew(input) {
                // Browsers pass over what stands behind the end too.
                return Ok(Taken { bytes: input.len(), more: false });
            }
            self.reinit()?;
        }
        self.fresh &= input.is_empty();
        let mut buffer = PartialBuffer::new(input);
        let before = out.len();
        let done = room(out, |room| match &mut self.kind {
            DecoderKind::Zstd(decoder) => Decode::decode(decoder, &mut buffer, room),
            DecoderKind::Brotli(decoder) => Decode::decode(&mut **decoder, &mut buffer, room),
            // It takes no input for an error.
            DecoderKind::Gzip(decoder) if input.is_empty() => {
                Decode::flush(&mut **decoder, room).map(|_| false)
            }
            DecoderKind::Gzip(decoder) => Decode::decode(&mut **decoder, &mut buffer, room),
        })?;
        self.done |= done;
        let (bytes, made) = (buffer.written_len(), out.len() - before);
        if bytes == 0 && made == 0 && !input.is_empty() && !self.done {
            return Err(Error::new(ErrorKind::InvalidData, "the coded body leads nowhere"));
        }
        Ok(Taken { bytes, more: made == limit::COMPRESSION_ROOM && !self.done })
    }

    /// The body has ended: an error, if it was not whole. An empty one is.
    pub(super) fn finish(&self) -> Result<()> {
        if self.done || self.fresh {
            return Ok(());
        }
        Err(Error::new(ErrorKind::UnexpectedEof, "the coded body is cut short"))
    }

    /// Whether another part follows: gzip and zstd bodies may have several (RFC 1952 §2.2, RFC
    /// 8878 §3.1).
    fn begins_anew(&self, input: &[u8]) -> bool {
        match self.kind {
            DecoderKind::Gzip(_) => input.first() == Some(&0x1f),
            DecoderKind::Zstd(_) => {
                input.first().is_some_and(|byte| *byte == 0x28 || (0x50..=0x5f).contains(byte))
            }
            DecoderKind::Brotli(_) => false,
        }
    }

    fn reinit(&mut self) -> Result<()> {
        self.done = false;
        match &mut self.kind {
            DecoderKind::Zstd(decoder) => Decode::reinit(decoder),
            DecoderKind::Brotli(decoder) => Decode::reinit(&mut **decoder),
            DecoderKind::Gzip(decoder) => Decode::reinit(&mut **decoder),
        }
    }
}

/// Gives a coder room at the end of `out`, and keeps what it filled.
fn room(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut PartialBuffer<&mut [u8]>) -> Result<bool>,
) -> Result<bool> {
    let start = out.len();
    out.resize(start + limit::COMPRESSION_ROOM, 0);
    let mut room = PartialBuffer::new(&mut out[start..]);
    let done = fill(&mut room);
    let filled = room.written_len();
    out.truncate(start + filled);
    done
}
