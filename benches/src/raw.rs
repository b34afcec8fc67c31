//! Streams and codecs of callers: what is sent was encoded before, and of an answer only the length is read, or as much as is asked.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Messages of a stream, each when a place is free for it; whoever reads the answers frees places.
pub(crate) fn as_places_come_free(
    messages: Vec<Bytes>,
    places: &Arc<Semaphore>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let free = Arc::clone(places);
    stream::iter(messages).then(move |message| {
        let free = Arc::clone(&free);
        async move {
            // Nobody closes it.
            if let Ok(place) = free.acquire().await {
                place.forget();
            }
            message
        }
    })
}

/// The codec, and both of its sides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = usize;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let length = from.remaining();
        from.advance(length);
        Ok(Some(length))
    }
}

/// The codec that reads answers as `T`, which may know a few of their fields alone.
#[derive(Debug)]
pub(crate) struct Lean<T>(PhantomData<T>);

impl<T> Default for Lean<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: prost::Message + Default + 'static> Codec for Lean<T> {
    type Encode = Bytes;
    type Decode = T;
    type Encoder = Raw;
    type Decoder = Self;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl<T: prost::Message + Default> Decoder for Lean<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        T::decode(from).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
