//! What the operations of the services between servers have in common.

use std::convert::Infallible;

use super::{
    NAMESPACE,
    answer::{self, AnswerError},
};
use crate::{
    protocol::fault::ProtocolFault,
    soap::{self, Element, MessageLimits, Style, Writer, whole},
};

/// An operation of one of the two services: its request.
pub trait Operation: Sized {
    /// What is answered, if it is no list that grows with the catalogue.
    type Answer;
    /// Its name.
    const NAME: &'static str;
    /// Namespace of its service.
    const NAMESPACE: &'static str = NAMESPACE;

    /// Reads the request: the element in the body.
    ///
    /// # Errors
    /// What the upstream answers: `InvalidParameters`, `InvalidCookie`, `InvalidAuthorizationCookie`.
    fn read(operation: &Element) -> Result<Self, ProtocolFault>;

    /// Writes what is in the element of the request.
    fn write_fields(&self, w: &mut Writer<Infallible>);

    /// Reads the answer: the element in the body.
    ///
    /// # Errors
    /// The path of what is missing or malformed, as `InvalidParameters`.
    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault>;

    /// The SOAPAction, without the quotes that stand around it in the header.
    fn action() -> String {
        format!("{}/{}", Self::NAMESPACE, Self::NAME)
    }

    /// The whole message of the request.
    fn message(&self) -> String {
        whole(Style::Asmx, |w| {
            w.element_in(Self::NAMESPACE, Self::NAME, |w| self.write_fields(w));
        })
    }

    /// Reads the whole message of the answer, whatever its HTTP status was.
    ///
    /// # Errors
    /// When it is a fault or not what was asked for.
    fn answer(bytes: &[u8], limits: &MessageLimits) -> Result<Self::Answer, AnswerError> {
        let root = soap::read(bytes, limits)?;
        let body = answer::body(root, Self::NAMESPACE, Self::NAME)?;
        Self::read_answer(&body).map_err(|fault| answer::malformed(Self::NAME, &fault))
    }
}

/// Writes an answer: `<NameResponse><NameResult>`.
pub(in crate::protocol) fn write_result<O: Operation, F>(
    w: &mut Writer<F>,
    content: impl FnOnce(&mut Writer<F>),
) {
    w.element_in(O::NAMESPACE, &format!("{}Response", O::NAME), |w| {
        w.element(&format!("{}Result", O::NAME), content);
    });
}
