//! Exec and console: a request, then one websocket a stream.

use wire::{
    ExecMetadata, InstanceConsolePost, InstanceExecPost, Operation,
    endpoints::{
        self,
        instances::{InstanceConsole, InstanceExec},
        operations::OperationWebsocket,
    },
    query::ProjectQuery,
};

use crate::{Client, Error, Result, Socket};

/// A program that runs inside, with its streams.
#[derive(Debug)]
pub struct Exec {
    /// The operation; wait for it to get the exit status.
    pub operation: Operation,
    /// For window sizes and signals.
    pub control: Socket,
    /// Its input and output.
    pub streams: Streams,
}

/// Input and output of a program.
#[derive(Debug)]
pub enum Streams {
    /// All on one terminal.
    Terminal(Socket),
    /// A pipe each.
    Pipes {
        /// To the program.
        stdin: Socket,
        /// From the program.
        stdout: Socket,
        /// From the program.
        stderr: Socket,
    },
}

/// A console we are attached to.
#[derive(Debug)]
pub struct Console {
    /// The operation; it ends when we detach.
    pub operation: Operation,
    /// For window sizes.
    pub control: Socket,
    /// Input and output.
    pub stream: Socket,
}

/// A screen that we are shown, for as long as its control socket is open.
#[derive(Debug)]
pub struct Screen(Secrets);

impl Client {
    /// Runs a program inside an instance; it starts when all streams are connected, as they are on return.
    ///
    /// # Errors
    /// When the daemon refuses, or a stream cannot be opened.
    pub async fn exec(
        &self,
        project: &ProjectQuery,
        instance: &str,
        request: &InstanceExecPost,
    ) -> Result<Exec> {
        let operation = self.call::<InstanceExec>(&[instance], project, request).await?;
        let fds = Secrets::of(&operation)?;
        let stream = |name| self.stream(&fds, name);
        if request.interactive {
            let (control, terminal) = tokio::try_join!(stream("control"), stream("0"))?;
            return Ok(Exec { operation, control, streams: Streams::Terminal(terminal) });
        }
        let all = tokio::try_join!(stream("control"), stream("0"), stream("1"), stream("2"));
        let (control, stdin, stdout, stderr) = all?;
        Ok(Exec { operation, control, streams: Streams::Pipes { stdin, stdout, stderr } })
    }

    /// Attaches to an instance's console.
    ///
    /// # Errors
    /// When the daemon refuses, or a stream cannot be opened.
    pub async fn console(
        &self,
        project: &ProjectQuery,
        instance: &str,
        request: &InstanceConsolePost,
    ) -> Result<Console> {
        let operation = self.call::<InstanceConsole>(&[instance], project, request).await?;
        let fds = Secrets::of(&operation)?;
        let control = self.stream(&fds, "control").await?;
        let stream = self.stream(&fds, "0").await?;
        Ok(Console { operation, control, stream })
    }

    /// Is shown the screen of a virtual machine; the socket is for nothing but its closing, by either side.
    ///
    /// # Errors
    /// When the daemon refuses, or the control stream cannot be opened.
    pub async fn screen(
        &self,
        project: &ProjectQuery,
        instance: &str,
        request: &InstanceConsolePost,
    ) -> Result<(Screen, Socket)> {
        let operation = self.call::<InstanceConsole>(&[instance], project, request).await?;
        let secrets = Secrets::of(&operation)?;
        let control = self.stream(&secrets, "control").await?;
        Ok((Screen(secrets), control))
    }

    /// One more connection of its viewer.
    ///
    /// # Errors
    /// When it cannot be opened; the machine may have ended.
    pub async fn view(&self, screen: &Screen) -> Result<Socket> {
        self.stream(&screen.0, "0").await
    }

    async fn stream(&self, secrets: &Secrets, stream: &'static str) -> Result<Socket> {
        let id = &secrets.id;
        let secret = secrets.fds.get(stream);
        let secret = secret.ok_or_else(|| Error::NoStream { stream, id: id.clone() })?;
        let path = endpoints::path::<OperationWebsocket>(&[id]);
        self.websocket(&format!("{path}?secret={secret}")).await
    }
}

/// The secrets of an operation's streams.
#[derive(Debug)]
struct Secrets {
    id: String,
    fds: wire::ConfigMap,
}

impl Secrets {
    fn of(operation: &Operation) -> Result<Self> {
        let metadata: ExecMetadata = operation.metadata_as().map_err(|source| Error::Decode {
            path: operation.url(),
            status: 202,
            source,
        })?;
        Ok(Self { id: operation.id.clone(), fds: metadata.fds })
    }
}

#[cfg(test)]
mod tests;
