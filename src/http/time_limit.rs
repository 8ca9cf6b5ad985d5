//! How long the parts of a request may take: `limits.request_seconds`, for every face. Uploads,
//! downloads and subscriptions last as long as they go on.

use std::time::Duration;

use crate::base::Error;

/// What comes of the work, or `TimedOut`.
pub async fn in_time<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.map_err(|_| Error::TimedOut)
}
