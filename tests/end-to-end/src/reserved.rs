//! Ports that nobody else gets, whether somebody listens there or not.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

/// A port of the loopback device, for as long as the value lives. A connection to it is refused until somebody listens there, which a
/// process can that is told of it, and allows for the reuse of addresses as servers do. Who asks for any port gets another.
#[derive(Debug)]
pub(crate) struct Reserved {
    socket: TcpSocket,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option that every socket has");
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        Reserved { socket }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("a bound port").port()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn it_refuses_until_somebody_listens_and_again_after_that() {
        let reserved = Reserved::new();
        let address = (Ipv4Addr::LOCALHOST, reserved.port());
        for _ in 0..3 {
            assert!(TcpStream::connect(address).is_err());
            let listener = TcpListener::bind(address).expect("a port that is ours");
            assert!(TcpStream::connect(address).is_ok());
            drop(listener);
        }
    }
}
