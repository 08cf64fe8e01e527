//! Operations: wait for their end, and hear of their progress.

use wire::{
    Empty, EventKind, Operation, StatusCode,
    endpoints::operations::{OperationDelete, OperationWait},
    query::{NoQuery, WaitQuery},
};

use crate::{Client, Error, Events, Result};

impl Client {
    /// Waits for the end of an operation.
    ///
    /// # Errors
    /// [`Error::Operation`] when it ends badly.
    pub async fn wait(&self, operation: &Operation) -> Result<Operation> {
        self.wait_with(operation, &WaitQuery::default()).await
    }

    /// Waits for the end of an operation of a server that lets us know of it by the operation's secret.
    ///
    /// # Errors
    /// [`Error::Operation`] when it ends badly.
    pub async fn wait_by_secret(&self, operation: &Operation, secret: &str) -> Result<Operation> {
        let query = WaitQuery { secret: Some(secret.to_owned()), ..WaitQuery::default() };
        self.wait_with(operation, &query).await
    }

    async fn wait_with(&self, operation: &Operation, query: &WaitQuery) -> Result<Operation> {
        let mut last = operation.clone();
        while !last.status_code.is_final() {
            last = self.get::<OperationWait>(&[&operation.id], query).await?;
        }
        verdict(last)
    }

    /// Waits for the end of an operation, and tells of each change on the way. Without events it just waits.
    ///
    /// # Errors
    /// [`Error::Operation`] when it ends badly.
    pub async fn watch(
        &self,
        operation: &Operation,
        mut changed: impl FnMut(&Operation),
    ) -> Result<Operation> {
        if operation.status_code.is_final() {
            return verdict(operation.clone());
        }
        let events = self.events(&[EventKind::Operation], None).await;
        let wait = self.wait(operation);
        let Ok(mut events) = events else { return wait.await };
        tokio::pin!(wait);
        loop {
            tokio::select! {
                end = &mut wait => return end,
                next = change(&mut events, &operation.id) => match next {
                    Some(operation) => changed(&operation),
                    None => return wait.await,
                },
            }
        }
    }

    /// Asks for an operation to be cancelled.
    ///
    /// # Errors
    /// When it cannot be.
    pub async fn cancel(&self, operation: &Operation) -> Result<()> {
        let Empty {} =
            self.call::<OperationDelete>(&[&operation.id], &NoQuery {}, &Empty {}).await?;
        Ok(())
    }
}

/// The next news of this operation; `None` when no more will come.
async fn change(events: &mut Events, id: &str) -> Option<Operation> {
    loop {
        let event = events.next().await.ok()??;
        let operation = serde_json::from_value::<Operation>(event.metadata);
        if let Ok(operation) = operation
            && operation.id == id
        {
            return Some(operation);
        }
    }
}

/// An operation that is over, as a result.
fn verdict(operation: Operation) -> Result<Operation> {
    if operation.status_code == StatusCode::SUCCESS {
        return Ok(operation);
    }
    let message = match (operation.err.as_str(), operation.status_code) {
        ("", StatusCode::CANCELLED) => format!("{} was cancelled", operation.description),
        ("", _) => format!("{} failed", operation.description),
        (err, _) => err.to_owned(),
    };
    Err(Error::Operation { id: operation.id, code: operation.status_code.0, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_operation_is_an_error_with_its_words() {
        let operation = Operation {
            status_code: StatusCode::FAILURE,
            err: "no space".into(),
            ..Operation::default()
        };
        assert_eq!(verdict(operation).unwrap_err().to_string(), "no space");
    }

    #[test]
    fn a_cancelled_operation_says_so() {
        let operation = Operation {
            status_code: StatusCode::CANCELLED,
            description: "Creating instance".into(),
            ..Operation::default()
        };
        let error = verdict(operation).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.code()),
            ("Creating instance was cancelled", Some(401))
        );
    }
}
