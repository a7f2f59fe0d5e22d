//! The embedded store: an fdatasync'd journal as the truth, sled as a disposable index.
