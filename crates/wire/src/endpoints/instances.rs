//! Instances: what they are, their state, exec, console, logs.

use crate::{
    Empty,
    Entity::Instance as AnInstance,
    InstanceConsolePost, InstanceExecPost, InstanceFull, InstancePost, InstancePut,
    InstanceRebuildPost, InstanceState, InstanceStatePut, InstanceUEFIVars, InstancesPost,
    InstancesPut, Listing, Operation, Patch,
    endpoints::{
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, Operate, View},
    },
    query::{ListQuery, ProjectQuery, TargetQuery, ThingQuery},
};

endpoints! {
    /// Lists instances.
    InstancesList: Get "/1.0/instances" since "instances", needs Authenticated,
        Sync, ListQuery, Empty => Listing<InstanceFull>;

    /// Makes an instance, perhaps of a backup that is sent.
    InstanceCreate: Post "/1.0/instances" since "instances", needs Can(Create, AnInstance),
        Async, TargetQuery, InstancesPost, + upload => Operation;

    /// Changes the state of every instance of the project.
    InstancesSetState: Put "/1.0/instances" since "instance_bulk_state_change", needs Can(Operate, AnInstance),
        Async, ProjectQuery, InstancesPut => Operation;

    /// Shows an instance.
    InstanceGet: Get "/1.0/instances/{name}" since "instances", needs Can(View, AnInstance),
        Sync, ThingQuery, Empty => InstanceFull;

    /// Replaces an instance's options, devices and profiles.
    InstanceReplace: Put "/1.0/instances/{name}" since "instances", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstancePut => Operation;

    /// Changes some of an instance's options, devices and profiles.
    InstancePatch: Patch "/1.0/instances/{name}" since "instances", needs Can(Edit, AnInstance),
        Sync, ProjectQuery, Patch<InstancePut> => Empty;

    /// Renames an instance.
    InstanceRename: Post "/1.0/instances/{name}" since "instances", needs Can(Edit, AnInstance),
        Async, TargetQuery, InstancePost => Operation;

    /// Gives an instance that is stopped a new root; its options and devices stay.
    InstanceRebuild: Post "/1.0/instances/{name}/rebuild" since "instances_rebuild", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceRebuildPost => Operation;

    /// Deletes an instance that is stopped.
    InstanceDelete: Delete "/1.0/instances/{name}" since "instances", needs Can(Delete, AnInstance),
        Async, ProjectQuery, Empty => Operation;

    /// Shows what an instance uses.
    InstanceStateGet: Get "/1.0/instances/{name}/state" since "instances", needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => InstanceState;

    /// Starts, stops, restarts, freezes or unfreezes an instance.
    InstanceStateSet: Put "/1.0/instances/{name}/state" since "instances", needs Can(Operate, AnInstance),
        Async, ProjectQuery, InstanceStatePut => Operation;

    /// Shows the variables of a virtual machine's firmware, while it does not run.
    InstanceUefiGet: Get "/1.0/instances/{name}/uefi-vars" since "instances_uefi_vars", needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => InstanceUEFIVars;

    /// Replaces all variables of a virtual machine's firmware, while it does not run.
    InstanceUefiReplace: Put "/1.0/instances/{name}/uefi-vars" since "instances_uefi_vars",
        needs Can(Edit, AnInstance),
        Sync, ProjectQuery, InstanceUEFIVars => Empty;

    /// Runs a program inside an instance.
    InstanceExec: Post "/1.0/instances/{name}/exec" since "instances", needs Can(Operate, AnInstance),
        Async, ProjectQuery, InstanceExecPost => Operation;

    /// Sends what the console said so far.
    InstanceConsoleLog: Get "/1.0/instances/{name}/console" since "console", needs Can(View, AnInstance),
        Raw, ProjectQuery, Empty => String;

    /// Attaches to the console.
    InstanceConsole: Post "/1.0/instances/{name}/console" since "console", needs Can(Operate, AnInstance),
        Async, ProjectQuery, InstanceConsolePost => Operation;

    /// Empties the log of the console.
    InstanceConsoleClear: Delete "/1.0/instances/{name}/console" since "console", needs Can(Edit, AnInstance),
        Sync, ProjectQuery, Empty => Empty;

    /// Lists the log files of an instance.
    InstanceLogsList: Get "/1.0/instances/{name}/logs" since "instances", needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => Vec<String>;

    /// Sends a log file.
    InstanceLogGet: Get "/1.0/instances/{name}/logs/{filename}" since "instances", needs Can(View, AnInstance),
        Raw, ProjectQuery, Empty => String;

    /// Deletes a log file that nothing writes to.
    InstanceLogDelete: Delete "/1.0/instances/{name}/logs/{filename}" since "instances", needs Can(Edit, AnInstance),
        Sync, ProjectQuery, Empty => Empty;

    /// Lists what programs wrote whose output was recorded.
    InstanceExecOutputsList: Get "/1.0/instances/{name}/logs/exec-output" since "container_exec_recording",
        needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => Vec<String>;

    /// Sends what a program wrote.
    InstanceExecOutputGet: Get "/1.0/instances/{name}/logs/exec-output/{filename}" since "container_exec_recording",
        needs Can(View, AnInstance),
        Raw, ProjectQuery, Empty => String;

    /// Deletes what a program wrote.
    InstanceExecOutputDelete: Delete "/1.0/instances/{name}/logs/exec-output/{filename}"
        since "container_exec_recording", needs Can(Operate, AnInstance),
        Sync, ProjectQuery, Empty => Empty;
}
