//! The envelope around every reply that is JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Operation, StatusCode, lenient};

/// Which of the three kinds of reply it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResponseType {
    /// Done; the result is in `metadata`.
    Sync,
    /// Begun; `operation` tells where to follow it.
    Async,
    /// Refused or failed; see `error`.
    Error,
}

/// A reply. `metadata` holds the result, or the operation that will bring it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Response<T> {
    /// Kind of reply.
    pub r#type: ResponseType,
    /// `Success`, `Operation created`, or empty with an error.
    #[serde(default, deserialize_with = "lenient::field")]
    pub status: String,
    /// 200, 100, or 0 with an error.
    #[serde(default, deserialize_with = "lenient::field")]
    pub status_code: StatusCode,
    /// Address of the operation of an asynchronous reply, else empty.
    #[serde(default, deserialize_with = "lenient::field")]
    pub operation: String,
    /// The HTTP status again when it is an error, else 0.
    #[serde(default, deserialize_with = "lenient::field")]
    pub error_code: u16,
    /// What went wrong, else empty.
    #[serde(default, deserialize_with = "lenient::field")]
    pub error: String,
    /// The result.
    pub metadata: Option<T>,
}

/// A result with nothing in it: `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

impl<T> Response<T> {
    /// The reply of a request that is done.
    pub fn sync(metadata: T) -> Self {
        Self {
            r#type: ResponseType::Sync,
            status: StatusCode::SUCCESS.name().into(),
            status_code: StatusCode::SUCCESS,
            operation: String::new(),
            error_code: 0,
            error: String::new(),
            metadata: Some(metadata),
        }
    }

    /// The reply of a request that failed with this HTTP status.
    pub fn error(code: u16, message: impl Into<String>) -> Self {
        Self {
            r#type: ResponseType::Error,
            status: String::new(),
            status_code: StatusCode(0),
            operation: String::new(),
            error_code: code,
            error: message.into(),
            metadata: None,
        }
    }
}

impl Response<Empty> {
    /// What follows the result in a reply that [`sync_begin`](Self::sync_begin) began.
    pub const SYNC_END: u8 = b'}';

    /// The JSON of the reply of a request that is done, up to its result: for one that is written behind it.
    pub fn sync_begin() -> Vec<u8> {
        let (status, code) = (StatusCode::SUCCESS.name(), StatusCode::SUCCESS.0);
        format!(
            r#"{{"type":"sync","status":"{status}","status_code":{code},"operation":"","error_code":0,"error":"","metadata":"#
        )
        .into_bytes()
    }
}

impl Response<Operation> {
    /// The reply of a request that goes on as an operation.
    pub fn accepted(operation: Operation) -> Self {
        Self {
            r#type: ResponseType::Async,
            status: StatusCode::CREATED.name().into(),
            status_code: StatusCode::CREATED,
            operation: operation.url(),
            error_code: 0,
            error: String::new(),
            metadata: Some(operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_there_already_is_put_where_it_belongs() {
        let metadata = vec![String::from("/1.0/instances/web")];
        let mut json = Response::sync_begin();
        json.extend(serde_json::to_vec(&metadata).unwrap());
        json.push(Response::SYNC_END);
        assert_eq!(json, serde_json::to_vec(&Response::sync(metadata)).unwrap());
    }
}
