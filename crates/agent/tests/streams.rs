//! Sessions that outlive their links.

mod support;

use support::config;
use support::longwire::Longwire;

#[tokio::test]
async fn a_shell_is_opened_typed_into_and_ended() {
    let (agent, mut server) = Longwire::connected(config()).await;
    server.open("s").await;
    assert_eq!(server.run("s", "echo hello").await, "hello\n");
    let sizes = &server.known["s"].sizes;
    assert_eq!(sizes[0].0, 0);
    assert_eq!((sizes[0].1.rows, sizes[0].1.cols), (40, 80));
    server.type_in("s", b"exit 3\n");
    let stop = server.ended("s").await;
    assert_eq!(stop.exit_status, Some(3));
    agent.end().await;
}
