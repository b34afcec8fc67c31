//! The methods of the API, read from its descriptors, so that nothing has to be listed twice.

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::FILE_DESCRIPTOR_SET;

/// The package of the API.
const PACKAGE: &str = "paymux.v1";

/// One method of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// The service, without its package.
    pub service: String,
    /// The method.
    pub name: String,
}

impl Method {
    /// The path under which it is called, such as `/paymux.v1.OrderService/GetOrder`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{PACKAGE}.{}/{}", self.service, self.name)
    }
}

/// All methods of all services of the API, in the order of the protos.
///
/// # Errors
/// The descriptors that are compiled in cannot be read.
pub fn methods() -> Result<Vec<Method>, prost::DecodeError> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?.file;
    let services = files.iter().filter(|file| file.package() == PACKAGE).flat_map(|file| &file.service);
    let named = services.flat_map(|service| {
        let method = |name: &str| Method { service: service.name().to_owned(), name: name.to_owned() };
        service.method.iter().map(move |found| method(found.name()))
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_services_are_found_with_their_methods() {
        let paths: Vec<String> = methods().unwrap().iter().map(Method::path).collect();
        for path in ["/paymux.v1.OrderService/CreateOrder", "/paymux.v1.OperatorService/ListMerchants"] {
            assert!(paths.iter().any(|known| known == path), "{path} is not among {paths:?}");
        }
    }
}
