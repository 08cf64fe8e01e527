//! What an instance's image said of itself, and the templates that came with it.

use crate::{
    Empty,
    Entity::Instance as AnInstance,
    ImageMetadata, Patch,
    endpoints::{
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ProjectQuery, TemplateQuery},
};

endpoints! {
    /// Shows the metadata of an instance's image.
    InstanceMetadataGet: Get "/1.0/instances/{name}/metadata" since "container_edit_metadata",
        needs Can(View, AnInstance), Sync, ProjectQuery, Empty => ImageMetadata;

    /// Replaces the metadata.
    InstanceMetadataReplace: Put "/1.0/instances/{name}/metadata" since "container_edit_metadata",
        needs Can(Edit, AnInstance), Sync, ProjectQuery, ImageMetadata => Empty;

    /// Changes some of the metadata.
    InstanceMetadataPatch: Patch "/1.0/instances/{name}/metadata" since "container_edit_metadata",
        needs Can(Edit, AnInstance), Sync, ProjectQuery, Patch<ImageMetadata> => Empty;

    /// Lists the templates of an instance's files, or sends one of them.
    InstanceTemplateGet: Get "/1.0/instances/{name}/metadata/templates" since "container_edit_metadata",
        needs Can(View, AnInstance), Raw, TemplateQuery, Empty => Vec<String>;

    /// Makes or replaces a template.
    InstanceTemplatePut: Post "/1.0/instances/{name}/metadata/templates" since "container_edit_metadata",
        needs Can(Edit, AnInstance), Sync, TemplateQuery, Empty, + upload => Empty;

    /// Deletes a template.
    InstanceTemplateDelete: Delete "/1.0/instances/{name}/metadata/templates" since "container_edit_metadata",
        needs Can(Edit, AnInstance), Sync, TemplateQuery, Empty => Empty;
}
