//! Any bytes: as a message, as every typed message, as every body, and written again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use longwire_protocol::control::Control;
use longwire_protocol::shell::{FromDevice, FromUser};
use longwire_protocol::{Receiver, decode, encode, file_transfer, port_forward};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let _ = file_transfer::FileInfo::from_body(&bytes);
    let _ = file_transfer::PutFile::from_body(&bytes);
    let _ = file_transfer::Path::from_body(&bytes);
    let _ = file_transfer::Error::from_body(&bytes);
    let _ = port_forward::New::from_body(&bytes);
    let Ok(message) = decode(bytes) else {
        return;
    };
    let _ = FromUser::try_from(&message);
    let _ = FromDevice::try_from(&message);
    let _ = Control::try_from(&message);
    for receiver in [Receiver::Device, Receiver::Server, Receiver::User] {
        let written = encode(&message, receiver);
        let again = decode(written.clone()).expect("what we wrote is readable");
        assert_eq!(encode(&again, receiver), written, "and is written the same again");
    }
});
