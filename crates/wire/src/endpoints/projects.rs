//! Projects.

use crate::{
    Empty, Listing, Operation, Patch, Project, ProjectPost, ProjectPut, ProjectState, ProjectsPost,
    endpoints::{
        Entity::Project as AProject,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, NoQuery},
};

endpoints! {
    /// Lists projects.
    ProjectsList: Get "/1.0/projects" since "projects", needs Authenticated, Sync, ListQuery, Empty => Listing<Project>;

    /// Makes a project.
    ProjectCreate: Post "/1.0/projects" since "projects", needs Can(Create, AProject),
        Sync, NoQuery, ProjectsPost => Empty;

    /// Shows a project.
    ProjectGet: Get "/1.0/projects/{name}" since "projects", needs Can(View, AProject), Sync, NoQuery, Empty => Project;

    /// Replaces a project's options.
    ProjectReplace: Put "/1.0/projects/{name}" since "projects", needs Can(Edit, AProject),
        Sync, NoQuery, ProjectPut => Empty;

    /// Changes some of a project's options.
    ProjectPatch: Patch "/1.0/projects/{name}" since "projects", needs Can(Edit, AProject),
        Sync, NoQuery, Patch<ProjectPut> => Empty;

    /// Renames a project that is empty.
    ProjectRename: Post "/1.0/projects/{name}" since "projects", needs Can(Edit, AProject),
        Async, NoQuery, ProjectPost => Operation;

    /// Deletes a project that is empty.
    ProjectDelete: Delete "/1.0/projects/{name}" since "projects", needs Can(Delete, AProject),
        Sync, NoQuery, Empty => Empty;

    /// Shows what a project uses of its limits.
    ProjectStateGet: Get "/1.0/projects/{name}/state" since "project_usage", needs Can(View, AProject),
        Sync, NoQuery, Empty => ProjectState;
}
