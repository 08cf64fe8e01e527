//! The verbs of S3 that are served; for all others s3s answers NotImplemented.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::World;
use objects::Store;
use options::ListenAddress;
use s3s::{S3, S3Request, S3Response, S3Result, dto, service::S3ServiceBuilder};

use crate::{
    access::{self, Keys},
    cors::Front,
    host::Hosts,
    rights::Rights,
    verbs::{
        absent, acl, attributes, bucket, copy, cors, delete, get, lifecycle, list, multipart, part,
        policy, put, tagging,
    },
};

/// What verbs are verbs of.
pub(crate) struct Service;

/// The bucket of a request.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<Store>,
    pub(crate) name: String,
    pub(crate) made: i64,
    pub(crate) limit: Option<u64>,
    /// What the sender may.
    pub(crate) rights: Rights,
}

/// What answers at a door at that address.
pub(crate) fn new(world: Arc<World>, address: &ListenAddress) -> Arc<Front> {
    let own = [world.host.name.as_str(), "localhost"].into_iter().chain(address.host.as_deref());
    let hosts = Hosts { world: world.clone(), own: own.map(str::to_owned).collect() };
    let mut builder = S3ServiceBuilder::new(Service);
    builder.set_auth(Keys(world.clone()));
    builder.set_access(Keys(world.clone()));
    builder.set_host(hosts.clone());
    Arc::new(Front { service: builder.build(), world, hosts })
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
                    let opened = access::opened(&req.extensions)?.clone();
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
    get_bucket_policy GetBucketPolicyInput GetBucketPolicyOutput => policy::get;
    put_bucket_policy PutBucketPolicyInput PutBucketPolicyOutput => policy::put;
    delete_bucket_policy DeleteBucketPolicyInput DeleteBucketPolicyOutput => policy::delete;
    get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatusOutput => policy::status;
    get_bucket_acl GetBucketAclInput GetBucketAclOutput => acl::get_of_bucket;
    put_bucket_acl PutBucketAclInput PutBucketAclOutput => acl::put_of_bucket;
    get_object_acl GetObjectAclInput GetObjectAclOutput => acl::get;
    put_object_acl PutObjectAclInput PutObjectAclOutput => acl::put;
    get_bucket_tagging GetBucketTaggingInput GetBucketTaggingOutput => tagging::get_of_bucket;
    put_bucket_tagging PutBucketTaggingInput PutBucketTaggingOutput => tagging::put_of_bucket;
    delete_bucket_tagging DeleteBucketTaggingInput DeleteBucketTaggingOutput => tagging::delete_of_bucket;
    get_bucket_encryption GetBucketEncryptionInput GetBucketEncryptionOutput => absent::encryption;
    get_bucket_website GetBucketWebsiteInput GetBucketWebsiteOutput => absent::website;
    get_bucket_replication GetBucketReplicationInput GetBucketReplicationOutput => absent::replication;
    get_bucket_ownership_controls GetBucketOwnershipControlsInput GetBucketOwnershipControlsOutput => absent::ownership;
    get_public_access_block GetPublicAccessBlockInput GetPublicAccessBlockOutput => absent::public_access_block;
    get_bucket_notification_configuration GetBucketNotificationConfigurationInput GetBucketNotificationConfigurationOutput => absent::notification;
    get_bucket_logging GetBucketLoggingInput GetBucketLoggingOutput => absent::logging;
    get_bucket_accelerate_configuration GetBucketAccelerateConfigurationInput GetBucketAccelerateConfigurationOutput => absent::accelerate;
    get_bucket_request_payment GetBucketRequestPaymentInput GetBucketRequestPaymentOutput => absent::payment;
    get_object_lock_configuration GetObjectLockConfigurationInput GetObjectLockConfigurationOutput => absent::object_lock;
    put_object_lock_configuration PutObjectLockConfigurationInput PutObjectLockConfigurationOutput => absent::set_object_lock;
    get_object_retention GetObjectRetentionInput GetObjectRetentionOutput => absent::retention;
    put_object_retention PutObjectRetentionInput PutObjectRetentionOutput => absent::set_retention;
    get_object_legal_hold GetObjectLegalHoldInput GetObjectLegalHoldOutput => absent::legal_hold;
    put_object_legal_hold PutObjectLegalHoldInput PutObjectLegalHoldOutput => absent::set_legal_hold;
    get_object_attributes GetObjectAttributesInput GetObjectAttributesOutput => attributes::get;
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
