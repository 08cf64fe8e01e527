//! The verbs of S3 that are served; for all others s3s answers NotImplemented.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::World;
use http::Extensions;
use objects::Store;
use options::ListenAddress;
use s3s::{S3, S3Request, S3Response, S3Result, dto, service::S3ServiceBuilder};

use crate::{
    access::{self, Keys},
    cors::Front,
    error::of_cloud,
    host::Hosts,
    verbs::{bucket, copy, cors, delete, get, lifecycle, list, multipart, part, put, tagging},
};

/// What verbs act on.
pub(crate) struct Service {
    world: Arc<World>,
}

/// The bucket of a request.
pub(crate) struct Opened {
    pub(crate) store: Arc<Store>,
    pub(crate) name: String,
    pub(crate) made: i64,
    pub(crate) limit: Option<u64>,
}

/// What answers at a door at that address.
pub(crate) fn new(world: Arc<World>, address: &ListenAddress) -> Arc<Front> {
    let own = [world.host.name.as_str(), "localhost"].into_iter().chain(address.host.as_deref());
    let hosts = Hosts { world: world.clone(), own: own.map(str::to_owned).collect() };
    let mut builder = S3ServiceBuilder::new(Service { world: world.clone() });
    builder.set_auth(Keys(world.clone()));
    builder.set_access(Keys(world.clone()));
    builder.set_host(hosts.clone());
    Arc::new(Front { service: builder.build(), world, hosts })
}

impl Service {
    /// The bucket that the request's key opens.
    pub(crate) async fn open(&self, extensions: &Extensions) -> S3Result<Opened> {
        let grant = access::grant(extensions)?;
        let store = self.world.buckets.of(&self.world, &grant.bucket).await.map_err(of_cloud)?;
        let (name, made) = (grant.bucket.name.clone(), grant.bucket.created_at.timestamp_millis());
        Ok(Opened { store, name, made, limit: grant.limit })
    }
}

/// Each verb is a function in its file.
macro_rules! verbs {
    ($($name:ident $input:ident $output:ident => $work:path;)*) => {
        #[async_trait]
        impl S3 for Service {
            $(
                async fn $name(
                    &self,
                    req: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    let opened = self.open(&req.extensions).await?;
                    Ok(S3Response::new($work(opened, req).await?))
                }
            )*
        }
    };
}

verbs! {
    list_buckets ListBucketsInput ListBucketsOutput => bucket::list;
    head_bucket HeadBucketInput HeadBucketOutput => bucket::head;
    create_bucket CreateBucketInput CreateBucketOutput => bucket::create;
    get_bucket_location GetBucketLocationInput GetBucketLocationOutput => bucket::location;
    get_bucket_versioning GetBucketVersioningInput GetBucketVersioningOutput => bucket::versioning;
    put_bucket_versioning PutBucketVersioningInput PutBucketVersioningOutput => bucket::set_versioning;
    get_bucket_lifecycle_configuration GetBucketLifecycleConfigurationInput GetBucketLifecycleConfigurationOutput => lifecycle::get;
    put_bucket_lifecycle_configuration PutBucketLifecycleConfigurationInput PutBucketLifecycleConfigurationOutput => lifecycle::put;
    delete_bucket_lifecycle DeleteBucketLifecycleInput DeleteBucketLifecycleOutput => lifecycle::delete;
    get_bucket_cors GetBucketCorsInput GetBucketCorsOutput => cors::get;
    put_bucket_cors PutBucketCorsInput PutBucketCorsOutput => cors::put;
    delete_bucket_cors DeleteBucketCorsInput DeleteBucketCorsOutput => cors::delete;
    get_object GetObjectInput GetObjectOutput => get::get;
    head_object HeadObjectInput HeadObjectOutput => get::head;
    put_object PutObjectInput PutObjectOutput => put::put;
    copy_object CopyObjectInput CopyObjectOutput => copy::copy;
    delete_object DeleteObjectInput DeleteObjectOutput => delete::one;
    delete_objects DeleteObjectsInput DeleteObjectsOutput => delete::many;
    list_objects ListObjectsInput ListObjectsOutput => list::v1;
    list_objects_v2 ListObjectsV2Input ListObjectsV2Output => list::v2;
    list_object_versions ListObjectVersionsInput ListObjectVersionsOutput => list::versions;
    get_object_tagging GetObjectTaggingInput GetObjectTaggingOutput => tagging::get;
    put_object_tagging PutObjectTaggingInput PutObjectTaggingOutput => tagging::put;
    delete_object_tagging DeleteObjectTaggingInput DeleteObjectTaggingOutput => tagging::delete;
    create_multipart_upload CreateMultipartUploadInput CreateMultipartUploadOutput => multipart::begin;
    complete_multipart_upload CompleteMultipartUploadInput CompleteMultipartUploadOutput => multipart::complete;
    abort_multipart_upload AbortMultipartUploadInput AbortMultipartUploadOutput => multipart::abort;
    list_multipart_uploads ListMultipartUploadsInput ListMultipartUploadsOutput => multipart::list;
    upload_part UploadPartInput UploadPartOutput => part::put;
    upload_part_copy UploadPartCopyInput UploadPartCopyOutput => part::copy;
    list_parts ListPartsInput ListPartsOutput => part::list;
}
