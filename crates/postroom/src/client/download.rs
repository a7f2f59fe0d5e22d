//! What comes octet by octet: messages as they are stored, and attachments.

use super::Result;
use super::api::Api;
use super::failure::Failure;
use super::place::Place;
use crate::cli::client::Target;
use reqwest::{Method, Response};
use std::fs::File;
use std::io::Write;

/// Follows the link that is told at a place, and saves what it leads to.
pub(super) async fn save(api: &Api, place: &Place, target: &Target) -> Result<()> {
    let told = api.get(place).await?;
    let url = told["download_url"].as_str();
    let url = url.ok_or_else(|| Failure::failed("the answer has no download_url"))?;
    let response = api.link(url).await?;
    match &target.output {
        None => copy(response, std::io::stdout()).await,
        Some(file) => {
            let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", file.display()));
            copy(response, File::create(file).map_err(named)?).await
        }
    }
}

/// Prints what is at a place.
pub(super) async fn print(api: &Api, place: &Place) -> Result<()> {
    print_path(api, &place.path()?).await
}

/// Prints what is at a path, which may have a query.
pub(super) async fn print_path(api: &Api, path: &str) -> Result<()> {
    let response = api.answered(api.request(Method::GET, path)).await?;
    copy(response, std::io::stdout()).await
}

pub(super) async fn copy(mut response: Response, mut to: impl Write) -> Result<()> {
    while let Some(piece) = response.chunk().await? {
        to.write_all(&piece)?;
    }
    to.flush()?;
    Ok(())
}
