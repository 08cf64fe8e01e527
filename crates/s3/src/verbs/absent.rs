//! What a bucket here never has, told as S3 tells it of one that has none: clients that look before they act
//! go on then.

use s3s::{
    S3Request, S3Result,
    dto::{
        GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput,
        GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLoggingInput,
        GetBucketLoggingOutput, GetBucketNotificationConfigurationInput,
        GetBucketNotificationConfigurationOutput, GetBucketOwnershipControlsInput,
        GetBucketOwnershipControlsOutput, GetBucketReplicationInput, GetBucketReplicationOutput,
        GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetBucketWebsiteInput,
        GetBucketWebsiteOutput, GetObjectLegalHoldInput, GetObjectLegalHoldOutput,
        GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetObjectRetentionInput,
        GetObjectRetentionOutput, GetPublicAccessBlockInput, GetPublicAccessBlockOutput, Payer,
        PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
        PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
    },
    s3_error,
};

use crate::{
    error::{no_encryption, no_public_access_block},
    service::Opened,
};

/// Each verb says what there is none of.
macro_rules! none {
    ($($name:ident $input:ident $output:ident: $answer:expr;)*) => {
        $(
            pub(crate) async fn $name(_: Opened, _: S3Request<$input>) -> S3Result<$output> {
                $answer
            }
        )*
    };
}

none! {
    encryption GetBucketEncryptionInput GetBucketEncryptionOutput:
        Err(no_encryption());
    object_lock GetObjectLockConfigurationInput GetObjectLockConfigurationOutput:
        Err(s3_error!(ObjectLockConfigurationNotFoundError));
    set_object_lock PutObjectLockConfigurationInput PutObjectLockConfigurationOutput:
        Err(s3_error!(InvalidBucketState, "objects of this bucket cannot be locked"));
    retention GetObjectRetentionInput GetObjectRetentionOutput: Err(no_lock());
    set_retention PutObjectRetentionInput PutObjectRetentionOutput: Err(no_lock());
    legal_hold GetObjectLegalHoldInput GetObjectLegalHoldOutput: Err(no_lock());
    set_legal_hold PutObjectLegalHoldInput PutObjectLegalHoldOutput: Err(no_lock());
    website GetBucketWebsiteInput GetBucketWebsiteOutput:
        Err(s3_error!(NoSuchWebsiteConfiguration));
    replication GetBucketReplicationInput GetBucketReplicationOutput:
        Err(s3_error!(ReplicationConfigurationNotFoundError));
    ownership GetBucketOwnershipControlsInput GetBucketOwnershipControlsOutput:
        Err(s3_error!(OwnershipControlsNotFoundError));
    public_access_block GetPublicAccessBlockInput GetPublicAccessBlockOutput:
        Err(no_public_access_block());
    notification GetBucketNotificationConfigurationInput GetBucketNotificationConfigurationOutput:
        Ok(GetBucketNotificationConfigurationOutput::default());
    logging GetBucketLoggingInput GetBucketLoggingOutput: Ok(GetBucketLoggingOutput::default());
    accelerate GetBucketAccelerateConfigurationInput GetBucketAccelerateConfigurationOutput:
        Ok(GetBucketAccelerateConfigurationOutput::default());
    payment GetBucketRequestPaymentInput GetBucketRequestPaymentOutput:
        Ok(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) });
}

fn no_lock() -> s3s::S3Error {
    s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration")
}
