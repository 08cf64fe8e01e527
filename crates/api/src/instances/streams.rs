//! What goes into an instance and comes out of it: exec, console, logs.

use axum::response::Response;
use cloud::{
    instances::{console, exec, logs, record},
    url,
};
use tasks::Operation;
use wire::{Empty, endpoints::instances::*};

use crate::{
    error::Result,
    raw,
    routes::{Call, RawCall, Routes},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .background::<InstanceExec, _>(exec)
        .background::<InstanceConsole, _>(console)
        .raw::<InstanceConsoleLog, _>(console_log)
        .sync::<InstanceConsoleClear, _>(console_clear)
        .sync::<InstanceLogsList, _>(logs)
        .raw::<InstanceLogGet, _>(log)
        .sync::<InstanceLogDelete, _>(log_delete)
        .sync::<InstanceExecOutputsList, _>(recorded)
        .raw::<InstanceExecOutputGet, _>(recorded_file)
        .sync::<InstanceExecOutputDelete, _>(recorded_delete)
}

async fn exec(call: Call<InstanceExec>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    Ok(exec::exec(&call.world, &call.caller, project, name, call.body.clone())?)
}

async fn console(call: Call<InstanceConsole>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    Ok(console::attach(&call.world, &call.caller, project, name, call.body.clone())?)
}

async fn console_log(RawCall { call, .. }: RawCall<InstanceConsoleLog>) -> Result<Response> {
    let said = console::log(&call.world, call.query.project(), call.path("name")).await?;
    Ok(raw::text(said))
}

async fn console_clear(call: Call<InstanceConsoleClear>) -> Result<Empty> {
    console::clear(&call.world, call.query.project(), call.path("name")).await?;
    Ok(Empty {})
}

async fn logs(call: Call<InstanceLogsList>) -> Result<Vec<String>> {
    let (project, name) = (call.query.project(), call.path("name"));
    let found = logs::list(&call.world, project, name).await?;
    let path = format!("instances/{name}/logs");
    Ok(found.iter().map(|file| url::of(&path, file, project)).collect())
}

/// The name by which the stock client asks for what says why an instance did not start.
const STOCK_NAME: &str = "lxc.log";
const OWN_NAME: &str = "monitor.log";

async fn log(RawCall { call, .. }: RawCall<InstanceLogGet>) -> Result<Response> {
    let (project, name, file) = (call.query.project(), call.path("name"), call.path("filename"));
    let own = if file == STOCK_NAME { OWN_NAME } else { file };
    raw::file(&logs::path(&call.world, project, name, own)?, file).await
}

async fn log_delete(call: Call<InstanceLogDelete>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    logs::delete(&call.world, project, name, call.path("filename")).await?;
    Ok(Empty {})
}

async fn recorded(call: Call<InstanceExecOutputsList>) -> Result<Vec<String>> {
    Ok(record::list(&call.world, call.query.project(), call.path("name")).await?)
}

async fn recorded_file(RawCall { call, .. }: RawCall<InstanceExecOutputGet>) -> Result<Response> {
    let (project, name, file) = (call.query.project(), call.path("name"), call.path("filename"));
    raw::file(&record::path(&call.world, project, name, file)?, file).await
}

async fn recorded_delete(call: Call<InstanceExecOutputDelete>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    record::delete(&call.world, project, name, call.path("filename")).await?;
    Ok(Empty {})
}
