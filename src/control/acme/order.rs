//! One order of a certificate, step by step.

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::{Fault, files};
use crate::limit;
use crate::snapshot::{Acme, Proof};

/// Asks for a certificate.
pub(super) async fn begin(account: &Account, domain: &str) -> Result<Order, Fault> {
    let identifiers = [Identifier::Dns(domain.to_owned())];
    Ok(account.new_order(&NewOrder::new(&identifiers)).await?)
}

/// Writes down what proves that the domain is ours. False if the CA knows that already.
pub(super) async fn prepare(order: &mut Order, acme: &Acme, domain: &str) -> Result<bool, Fault> {
    let mut authorizations = order.authorizations();
    let mut asked = false;
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let challenge = authorization.challenge(kind(acme.proof)).ok_or(Fault::NotOffered)?;
        let proof = challenge.key_authorization();
        match acme.proof {
            // A token names a file of ours: it is what RFC 8555 §8.3 lets it be, or it is none.
            Proof::Http if is_token(&challenge.token) => {
                files::write(&acme.answer(&challenge.token), proof.as_str().as_bytes())?;
            }
            Proof::Http => return Err(Fault::NotOffered),
            Proof::Tls => files::write(&acme.proof(domain), shown(domain, &proof)?.as_bytes())?,
        }
        asked = true;
    }
    Ok(asked)
}

/// Lets the CA look, and waits until it has.
pub(super) async fn prove(order: &mut Order, acme: &Acme) -> Result<(), Fault> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Pending {
            let challenge = authorization.challenge(kind(acme.proof));
            challenge.ok_or(Fault::NotOffered)?.set_ready().await?;
        }
    }
    let patience = RetryPolicy::new().timeout(limit::ACME_PATIENCE);
    match order.poll_ready(&patience).await? {
        OrderStatus::Ready | OrderStatus::Valid => Ok(()),
        OrderStatus::Invalid => Err(Fault::NotProved),
        OrderStatus::Pending | OrderStatus::Processing => Err(Fault::Late),
    }
}

/// The certificate and its key, as PEM in one text.
pub(super) async fn finish(order: &mut Order) -> Result<String, Fault> {
    let key = order.finalize().await?;
    let patience = RetryPolicy::new().timeout(limit::ACME_PATIENCE);
    let chain = order.poll_certificate(&patience).await?;
    Ok(format!("{key}\n{chain}"))
}

fn kind(proof: Proof) -> ChallengeType {
    match proof {
        Proof::Http => ChallengeType::Http01,
        Proof::Tls => ChallengeType::TlsAlpn01,
    }
}

fn is_token(token: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !token.is_empty() && token.len() <= limit::ACME_TOKEN_BYTES_MAX && token.bytes().all(fits)
}

/// The certificate that proves it (RFC 8737 §3), and its key.
fn shown(domain: &str, proof: &KeyAuthorization) -> Result<String, Fault> {
    let made = |fault: rcgen::Error| Fault::Made(fault.to_string());
    let mut params = CertificateParams::new([domain.to_owned()]).map_err(made)?;
    let hash = proof.digest();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(hash.as_ref())];
    let key = KeyPair::generate().map_err(made)?;
    let certificate = params.self_signed(&key).map_err(made)?;
    Ok(format!("{}\n{}", key.serialize_pem(), certificate.pem()))
}
