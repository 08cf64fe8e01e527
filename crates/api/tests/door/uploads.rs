//! Images that clients send, and those that break off.

use client::Upload;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use wire::endpoints::images::ImageCreate;

use super::{Door, until};

fn waiting(door: &Door) -> usize {
    std::fs::read_dir(door.world.dirs.cache()).unwrap().count()
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_nothing() {
    let Some(door) = Door::open().await else { return };
    let mut stream = UnixStream::connect(door.client.socket_path().unwrap()).await.unwrap();
    let head = "POST /1.0/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n\
                Content-Length: 1000000\r\n\r\nthe beginning of an image";
    stream.write_all(head.as_bytes()).await.unwrap();
    until("the upload begins", || waiting(&door) == 1).await;
    drop(stream);
    until("what came is removed", || waiting(&door) == 0).await;
}

#[tokio::test]
async fn what_is_no_image_fails_and_leaves_nothing() {
    let Some(door) = Door::open().await else { return };
    let (metadata, rootfs) = (door.folder.path().join("meta"), door.folder.path().join("rootfs"));
    std::fs::write(&metadata, "no archive").unwrap();
    std::fs::write(&rootfs, "no file system").unwrap();
    for rootfs in [None, Some(rootfs)] {
        let upload = Upload { metadata: metadata.clone(), rootfs, ..Upload::default() };
        let request = door.client.request::<ImageCreate>(&[]).upload(upload).await.unwrap();
        let id = request.send().await.unwrap().reply.id;
        let ended = door.get(&format!("/1.0/operations/{id}/wait")).await;
        assert_eq!(ended["status"], "Failure", "{ended}");
        assert_eq!(waiting(&door), 0);
    }
}

#[tokio::test]
async fn who_is_refused_while_still_sending_gets_the_answer() {
    let Some(door) = Door::open().await else { return };
    let mut stream = UnixStream::connect(door.client.socket_path().unwrap()).await.unwrap();
    let length = 32 << 20;
    let head = format!(
        "POST /1.0/storage-pools/none/volumes/custom HTTP/1.1\r\nHost: x\r\nX-LXD-type: tape\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // All of it is taken, though the answer is known from the first line.
    stream.write_all(&vec![0; length]).await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 4");
}
