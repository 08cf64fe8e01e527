//! Buckets of objects, and the keys to them.

use crate::ConfigMap;

api! {
    /// A bucket.
    pub struct StorageBucket {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
        /// Where S3 clients reach it; empty while nothing is served.
        pub s3_url: String,
        /// Member it was found on.
        pub location: String,
        /// Project it is in.
        pub project: String,
    }

    /// A bucket's changeable part, to replace it.
    pub struct StorageBucketPut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
    }

    /// A new bucket.
    pub struct StorageBucketsPost {
        /// Name.
        pub name: String,
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
    }

    /// A key to a bucket.
    pub struct StorageBucketKey {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `admin` or `read-only`.
        pub role: String,
        /// What S3 clients say who they are with.
        #[serde(rename = "access-key")]
        pub access_key: String,
        /// What they sign requests with.
        #[serde(rename = "secret-key")]
        pub secret_key: String,
    }

    /// A key's changeable part, to replace it.
    pub struct StorageBucketKeyPut {
        /// Free text.
        pub description: String,
        /// `admin` or `read-only`; empty is `read-only`.
        pub role: String,
        /// What S3 clients say who they are with; empty leaves it as it is.
        #[serde(rename = "access-key")]
        pub access_key: String,
        /// What they sign requests with; empty leaves it as it is.
        #[serde(rename = "secret-key")]
        pub secret_key: String,
    }

    /// A new key.
    pub struct StorageBucketKeysPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `admin` or `read-only`; empty is `read-only`.
        pub role: String,
        /// What S3 clients say who they are with; the server finds one when it is empty.
        #[serde(rename = "access-key")]
        pub access_key: String,
        /// What they sign requests with; the server finds one when it is empty.
        #[serde(rename = "secret-key")]
        pub secret_key: String,
    }
}

impl StorageBucket {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> StorageBucketPut {
        StorageBucketPut { config: self.config.clone(), description: self.description.clone() }
    }
}

impl StorageBucketKey {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> StorageBucketKeyPut {
        StorageBucketKeyPut {
            description: self.description.clone(),
            role: self.role.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
        }
    }
}
