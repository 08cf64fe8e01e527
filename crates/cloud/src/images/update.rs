//! Changes what is said of an image.

use wire::ImagePut;

use crate::{
    Caller, Result, World,
    db::images as rows,
    etag::{self, IfMatch},
    url,
};

/// Changes an image to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    fingerprint: &str,
    seen: IfMatch,
    change: impl Fn(ImagePut) -> Result<ImagePut> + Send + Sync,
) -> Result<()> {
    let row = world
        .store
        .write(|db| {
            let mut row = super::find(db, project, fingerprint)?;
            let old = super::writable(&row);
            etag::check(&seen, &old, "image", fingerprint)?;
            let new = change(old)?;
            row.auto_update = new.auto_update;
            row.properties = new.properties;
            row.public = new.public;
            row.expires_at = new.expires_at.utc();
            rows::update(db, &row)?;
            Ok::<_, crate::Error>(row)
        })
        .await?;
    let source = url::of("images", &row.fingerprint, &row.project);
    world.tell(caller, &row.project, "image-updated", source);
    Ok(())
}
