//! What comes octet by octet: messages as they are stored, and attachments.

use super::Result;
use super::api::Api;
use super::failure::Failure;
use super::place::Place;
use crate::cli::client::Target;
use reqwest::{Method, Response};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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
            // A device or a pipe is written to as it is.
            if std::fs::metadata(file).is_ok_and(|known| !known.is_file()) {
                return copy(response, File::create(file).map_err(named)?).await;
            }
            let mut torn = Torn::beside(file).map_err(named)?;
            copy(response, &mut torn.content).await?;
            torn.finish().map_err(named)
        }
    }
}

/// A file that gets its name once it is whole; until then what had the name keeps it. Gone again if it never is.
struct Torn {
    content: File,
    at: PathBuf,
    named: PathBuf,
}

impl Torn {
    fn beside(file: &Path) -> std::io::Result<Self> {
        // What a link leads to is replaced, and not the link.
        let named = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let at = named.with_file_name(format!(".postroom.{}.part", std::process::id()));
        let content = File::create_new(&at)?;
        Ok(Self { content, at, named })
    }

    fn finish(self) -> std::io::Result<()> {
        self.content.sync_all()?;
        std::fs::rename(&self.at, &self.named)
    }
}

impl Drop for Torn {
    /// After [`finish`](Self::finish) nothing is there any more under this name.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.at);
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

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, whole};
    use super::*;

    #[tokio::test]
    async fn a_torn_download_leaves_what_was_there() {
        let told = |name: &str| whole(format!(r#"{{"download_url":"http://x/postroom/v1/download/{name}"}}"#));
        let stub = Stub::new(vec![
            ("get /v0/whole", 200, told("whole")),
            ("get /v0/torn", 200, told("torn")),
            ("get /postroom/v1/download/whole", 200, whole("new")),
            (
                "get /postroom/v1/download/torn",
                200,
                "content-length: 9\r\n\r\nne".to_owned(),
            ),
        ])
        .await;
        let folder = std::env::temp_dir().join(format!("postroom-download-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("a.eml");
        std::fs::write(&file, "old").expect("a file");
        let target = Target {
            output: Some(file.clone()),
        };
        let content = || std::fs::read_to_string(&file).expect("a file");
        assert!(save(&stub.api, &Place::v0(&["torn"]), &target).await.is_err());
        assert_eq!(content(), "old");
        assert!(save(&stub.api, &Place::v0(&["whole"]), &target).await.is_ok());
        assert_eq!(content(), "new");
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1);
        std::fs::remove_dir_all(&folder).expect("a folder");
    }
}
