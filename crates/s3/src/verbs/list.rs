//! Lists objects: both versions of the list, and the list of versions.

use objects::{After, Object, Page, Query, Store};
use s3s::{
    S3Request, S3Result,
    dto::{
        self, CommonPrefix, DeleteMarkerEntry, EncodingType, ListObjectVersionsInput,
        ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
        ListObjectsV2Output, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
    },
    s3_error,
};

use crate::{acl, convert, error::off_thread, service::Opened};

/// Keys in one answer at most, as S3 has it.
const MOST: i32 = 1000;

/// What all three have in common.
struct Wish {
    prefix: Option<String>,
    delimiter: Option<String>,
    after: String,
    most: Option<i32>,
    encoding: Option<EncodingType>,
}

impl Wish {
    fn most(&self) -> S3Result<i32> {
        match self.most {
            Some(most) if most < 0 => Err(s3_error!(InvalidArgument, "a negative number of keys")),
            most => Ok(most.unwrap_or(MOST).min(MOST)),
        }
    }

    /// A key as the client wants it.
    fn key(&self, key: &str) -> String {
        match &self.encoding {
            Some(encoding) if encoding.as_str() == EncodingType::URL => convert::encoded(key),
            _ => key.to_owned(),
        }
    }

    fn optional(&self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.key(text))
    }

    fn prefixes(&self, page: &Page) -> Vec<CommonPrefix> {
        let one = |prefix: &String| CommonPrefix { prefix: Some(self.key(prefix)) };
        page.prefixes.iter().map(one).collect()
    }

    fn objects(&self, page: &Page, owner: bool) -> Vec<dto::Object> {
        page.objects.iter().map(|object| self.object(object, owner)).collect()
    }

    fn object(&self, object: &Object, owner: bool) -> dto::Object {
        dto::Object {
            key: Some(self.key(&object.key)),
            e_tag: Some(convert::etag(object)),
            last_modified: Some(convert::time(object.modified)),
            size: Some(convert::size(object.size)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            owner: owner.then(acl::owner),
            ..dto::Object::default()
        }
    }

    async fn page(&self, opened: &Opened) -> S3Result<Page> {
        self.listed(opened, |store, query| store.list(query)).await
    }

    async fn versions(&self, opened: &Opened, version: Option<String>) -> S3Result<Page> {
        self.listed(opened, move |store, query| {
            let after = After { key: query.after, version: version.as_deref() };
            store.list_versions(query, after)
        })
        .await
    }

    async fn listed(
        &self,
        opened: &Opened,
        list: impl FnOnce(&Store, Query<'_>) -> objects::Result<Page> + Send + 'static,
    ) -> S3Result<Page> {
        let most = usize::try_from(self.most()?).unwrap_or(0);
        if most == 0 {
            return Ok(Page::default());
        }
        let store = opened.store.clone();
        let (prefix, delimiter) = (self.prefix.clone(), self.delimiter.clone());
        let after = self.after.clone();
        off_thread(move || {
            let query = Query {
                prefix: prefix.as_deref().unwrap_or_default(),
                delimiter: delimiter.as_deref().unwrap_or_default(),
                after: &after,
                most,
            };
            list(&store, query)
        })
        .await
    }
}

pub(crate) async fn v1(
    opened: Opened,
    req: S3Request<ListObjectsInput>,
) -> S3Result<ListObjectsOutput> {
    let input = req.input;
    let wish = Wish {
        prefix: input.prefix,
        delimiter: input.delimiter,
        after: input.marker.clone().unwrap_or_default(),
        most: input.max_keys,
        encoding: input.encoding_type,
    };
    let page = wish.page(&opened).await?;
    Ok(ListObjectsOutput {
        contents: Some(wish.objects(&page, true)),
        common_prefixes: Some(wish.prefixes(&page)),
        is_truncated: Some(page.next.is_some()),
        marker: wish.optional(input.marker.as_ref()),
        max_keys: Some(wish.most()?),
        next_marker: wish.optional(page.next.as_ref()),
        prefix: wish.optional(wish.prefix.as_ref()),
        delimiter: wish.optional(wish.delimiter.as_ref()),
        encoding_type: wish.encoding.clone(),
        name: Some(opened.name),
        ..ListObjectsOutput::default()
    })
}

pub(crate) async fn v2(
    opened: Opened,
    req: S3Request<ListObjectsV2Input>,
) -> S3Result<ListObjectsV2Output> {
    let input = req.input;
    let token = input.continuation_token.clone();
    let after = match &token {
        Some(token)
            if token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%/+".contains(&byte)) =>
        {
            convert::decoded(&token.replace('+', "%2B"))
        }
        Some(_) => {
            return Err(s3_error!(InvalidArgument, "the continuation token is none of ours"));
        }
        None => input.start_after.clone().unwrap_or_default(),
    };
    let wish = Wish {
        prefix: input.prefix,
        delimiter: input.delimiter,
        after,
        most: input.max_keys,
        encoding: input.encoding_type,
    };
    let page = wish.page(&opened).await?;
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(page.objects.len() + page.prefixes.len()).ok(),
        contents: Some(wish.objects(&page, input.fetch_owner.unwrap_or(false))),
        common_prefixes: Some(wish.prefixes(&page)),
        is_truncated: Some(page.next.is_some()),
        continuation_token: token,
        next_continuation_token: page.next.as_deref().map(convert::encoded),
        max_keys: Some(wish.most()?),
        prefix: wish.optional(wish.prefix.as_ref()),
        delimiter: wish.optional(wish.delimiter.as_ref()),
        start_after: wish.optional(input.start_after.as_ref()),
        encoding_type: wish.encoding.clone(),
        name: Some(opened.name),
        ..ListObjectsV2Output::default()
    })
}

pub(crate) async fn versions(
    opened: Opened,
    req: S3Request<ListObjectVersionsInput>,
) -> S3Result<ListObjectVersionsOutput> {
    let input = req.input;
    let wish = Wish {
        prefix: input.prefix,
        delimiter: input.delimiter,
        after: input.key_marker.clone().unwrap_or_default(),
        most: input.max_keys,
        encoding: input.encoding_type,
    };
    let class = ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD);
    let page = wish.versions(&opened, input.version_id_marker.clone()).await?;
    let mut latest: Option<&str> = input.version_id_marker.as_ref().map(|_| wish.after.as_str());
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for object in &page.objects {
        // The first of a key is the newest.
        let is_latest = Some(latest != Some(object.key.as_str()));
        latest = Some(&object.key);
        let (key, version_id) = (Some(wish.key(&object.key)), Some(object.version.clone()));
        let last_modified = Some(convert::time(object.modified));
        let owner = Some(acl::owner());
        match object.marker {
            true => {
                markers.push(DeleteMarkerEntry { is_latest, key, last_modified, owner, version_id })
            }
            false => versions.push(ObjectVersion {
                key,
                version_id,
                is_latest,
                last_modified,
                owner,
                e_tag: Some(convert::etag(object)),
                size: Some(convert::size(object.size)),
                storage_class: Some(class.clone()),
                ..ObjectVersion::default()
            }),
        }
    }
    Ok(ListObjectVersionsOutput {
        versions: Some(versions),
        delete_markers: Some(markers),
        common_prefixes: Some(wish.prefixes(&page)),
        is_truncated: Some(page.next.is_some()),
        key_marker: wish.optional(input.key_marker.as_ref()),
        version_id_marker: input.version_id_marker,
        max_keys: Some(wish.most()?),
        next_key_marker: wish.optional(page.next.as_ref()),
        next_version_id_marker: page.next_version.clone(),
        prefix: wish.optional(wish.prefix.as_ref()),
        delimiter: wish.optional(wish.delimiter.as_ref()),
        encoding_type: wish.encoding.clone(),
        name: Some(opened.name),
        ..ListObjectVersionsOutput::default()
    })
}
