//! What a deployment asks an agent to do. [MS-WUSP] 2.2.2.2.4

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! actions {
    ($($name:ident)*) => {
        /// `Action` of a deployment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum Action {
            $($name,)*
        }

        impl Action {
            /// The word on the wire.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The action that a word means.
            pub(crate) fn parse(word: &str) -> Option<Self> {
                match word {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

actions! {
    Install
    OptionalInstall
    Uninstall
    PreDeploymentCheck
    Block
    Evaluate
    Bundle
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
