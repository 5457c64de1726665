//! The operations that an agent calls: names, paths, namespaces.

/// A web service of an update server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Client web service.
    Client,
    /// SimpleAuth web service.
    SimpleAuth,
    /// Reporting web service.
    Reporting,
}

impl Service {
    /// Namespace of its messages.
    pub(crate) const fn namespace(self) -> &'static str {
        match self {
            Self::Client => "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService",
            Self::SimpleAuth => {
                "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService"
            }
            Self::Reporting => "http://www.microsoft.com/SoftwareDistribution",
        }
    }
}

macro_rules! operations {
    ($($name:ident $service:ident;)*) => {
        /// An operation that the stand-in calls.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[doc = stringify!($name)] $name,)*
        }

        impl Operation {
            /// Name, as in the element and the action.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Service that it belongs to.
            pub(crate) const fn service(self) -> Service {
                match self { $(Self::$name => Service::$service,)* }
            }
        }
    };
}

operations! {
    GetConfig Client;
    GetAuthorizationCookie SimpleAuth;
    GetCookie Client;
    RegisterComputer Client;
    StartCategoryScan Client;
    SyncUpdates Client;
    RefreshCache Client;
    GetExtendedUpdateInfo Client;
    GetFileLocations Client;
    ReportEventBatch Reporting;
}

/// Under what name findings about payload appear.
pub(crate) const CONTENT: &str = "Content";
