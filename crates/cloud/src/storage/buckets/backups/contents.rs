//! What goes into a bucket's backup: its row and its keys as an index, and its objects with their
//! versions, tags and attributes, all as of one moment. S3 clients go on meanwhile.

use images::backup::{Config, Index};
use objects::Frozen;

use super::Of;
use crate::{
    Error, Result, World,
    backups::{Job, Out},
    blocking::blocking,
    db::buckets as rows,
    storage::buckets::keys,
};

/// The folder of the objects in the file.
pub(super) const PART: &str = "backup/bucket";
/// The folders in it: what objects there are, and the contents of all but small ones.
pub(super) const PARTS: [&str; 2] = ["names", "blobs"];

pub(super) async fn write(world: &World, of: &Of, job: Job) -> Result<()> {
    let bucket = world.store.read(|db| of.find(db))?;
    let index = index(world, of)?;
    let store = world.buckets.of(world, &bucket).await?;
    blocking("write backup", move || {
        let frozen = store.freeze()?;
        job.file(&index, |tarball| pack(tarball, &frozen))
    })
    .await
}

fn index(world: &World, of: &Of) -> Result<Index> {
    let (bucket, keys) = world.store.read(|db| {
        let row = of.find(db)?;
        let keys = rows::keys(db, row.id)?.into_iter().map(keys::render).collect();
        // Where it is reached here means nothing elsewhere.
        Ok::<_, Error>((super::super::render(db, row, None)?, keys))
    })?;
    let pool = crate::storage::get(world, &of.bucket.pool)?;
    let config =
        Config { pool: Some(pool), bucket: Some(bucket), bucket_keys: keys, ..Config::default() };
    Ok(Index {
        name: of.bucket.name.clone(),
        backend: config.pool.as_ref().map(|pool| pool.driver.clone()).unwrap_or_default(),
        pool: of.bucket.pool.clone(),
        r#type: String::from("bucket"),
        config: Some(config),
        ..Index::default()
    })
}

fn pack(tarball: &mut Out<'_>, frozen: &Frozen) -> Result<()> {
    let [names, blobs] = PARTS;
    tarball.folder(PART)?;
    tarball.folder(&format!("{PART}/{names}"))?;
    let (mut after, mut count) = (0, 0_u64);
    let mut record = |tarball: &mut Out<'_>, bytes: &[u8]| {
        count += 1;
        // In the order of their names they are in the order of their making.
        tarball.text(&format!("{PART}/{names}/{count:012}"), bytes)
    };
    while let Some((last, bytes)) = frozen.names(after)? {
        record(tarball, &bytes)?;
        after = last;
    }
    record(tarball, &frozen.settings()?)?;
    tarball.folder(&format!("{PART}/{blobs}"))?;
    let mut after = String::new();
    loop {
        let found = frozen.blobs(&after)?;
        let Some(last) = found.last() else { return Ok(()) };
        after.clone_from(last);
        for blob in found {
            tarball.open(frozen.open(&blob)?, &format!("{PART}/{blobs}/{blob}"))?;
        }
    }
}
