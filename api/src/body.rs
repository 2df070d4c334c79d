//! A request body that may be left out.

use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::error::ContentTypeError;
use poem_openapi::payload::{Json, ParsePayload, Payload as _};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

/// JSON, or nothing at all, which is an object without any property.
#[derive(Debug, Default)]
pub struct Maybe<T>(pub Option<T>);

impl<'a, T: Type + ParseFromJSON> ApiExtractor<'a> for Maybe<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = MetaMediaType { content_type: Json::<T>::CONTENT_TYPE, schema: T::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: false })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        match request.content_type() {
            Some(named) if Json::<T>::check_content_type(named) => {
                Ok(Self(<Json<Option<T>> as ParsePayload>::from_request(request, body).await?.0))
            }
            Some(other) => Err(ContentTypeError::NotSupported { content_type: other.to_owned() }.into()),
            None if <Vec<u8> as FromRequest>::from_request(request, body).await?.is_empty() => Ok(Self(None)),
            None => Err(ContentTypeError::ExpectContentType.into()),
        }
    }
}
