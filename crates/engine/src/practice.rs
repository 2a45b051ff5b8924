//! Setting a profile up for a running practice district: everything filled in, as a person would do it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use chrono::Utc;
use rosterbridge_domain::{
    job::Job,
    mapping::{self, BuildingMapping, Mappings, TardyMapping},
    settings::{
        ConnectionId, JobSettings, MailSecurity, MailSettings, ManagedConnection, PowerSchoolSettings,
        Prerequisites, RaptorSettings, Setup,
    },
};
use rosterbridge_powerschool::{Client, Connection, Timeouts};
use rosterbridge_store::ledger::{PinnedHostKey, RunId};
use rosterbridge_vault::SecretName;
use secrecy::SecretString;
use serde::Deserialize;

use tokio_util::sync::CancellationToken;

use crate::{
    choices,
    connections::{address, managed},
    engine::{Engine, blocking},
    error::EngineError,
};

/// What the practice district writes when it is ready. Its credentials open nothing but that district.
#[derive(Deserialize)]
struct Ready {
    powerschool: ReadyPowerSchool,
    hero: ReadyHero,
    raptor: ReadyRaptor,
    mail: ReadyMail,
}

#[derive(Deserialize)]
struct ReadyPowerSchool {
    url: String,
    client_id: String,
    #[serde(deserialize_with = "secret")]
    client_secret: SecretString,
    ca_pem: String,
}

#[derive(Deserialize)]
struct ReadyHero {
    host: String,
    port: u16,
    username: String,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
    host_key_sha256: String,
}

#[derive(Deserialize)]
struct ReadyRaptor {
    folder: String,
}

#[derive(Deserialize)]
struct ReadyMail {
    host: String,
    port: u16,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The code every practice school records a tardy with.
const PRACTICE_TARDY_CODE: &str = "T";

impl Engine {
    /// Sets the profile up from a ready file's content. With `pin` the practice host key counts as accepted.
    pub async fn import_practice(self: &Arc<Self>, ready: &str, pin: bool) -> Result<(), EngineError> {
        // A run must not find its district replaced under its feet.
        let _under_way = self.begin(&RunId::new(Utc::now()).to_string())?;
        let ready: Ready = serde_json::from_str(ready).map_err(|_| EngineError::ReadyFile)?;
        let district = self.practice_district(&ready.powerschool).await?;
        self.move_to_practice(district.as_deref()).await?;
        self.put_secret(SecretName::PowerSchoolClientSecret, &ready.powerschool.client_secret).await?;
        self.put_secret(SecretName::password(ConnectionId::HERO), &ready.hero.password).await?;
        let mut setup = Setup {
            powerschool: PowerSchoolSettings {
                url: ready.powerschool.url,
                client_id: ready.powerschool.client_id,
                extra_roots: vec![ready.powerschool.ca_pem],
                answer_seconds: 10,
                ..PowerSchoolSettings::default()
            },
            connections: vec![ManagedConnection {
                host: ready.hero.host,
                port: ready.hero.port,
                username: ready.hero.username,
                ..ManagedConnection::default()
            }],
            raptor: RaptorSettings {
                enabled: true,
                student_tardy: true,
                folder: ready.raptor.folder,
                notify: vec!["office@practice.example".to_owned()],
                prerequisites: Prerequisites::DONE,
                ..RaptorSettings::default()
            },
            mail: MailSettings {
                host: ready.mail.host,
                port: ready.mail.port,
                security: MailSecurity::None,
                from: "rosterbridge@practice.example".to_owned(),
                to: vec!["office@practice.example".to_owned()],
                ..MailSettings::default()
            },
            mappings: Mappings::default(),
            jobs: Job::ALL
                .into_iter()
                .map(|job| JobSettings { job: job.into(), enabled: true, schedule: None })
                .collect(),
            ..Setup::default()
        };
        setup.mappings = self.practice_mappings(&setup).await?;
        if pin {
            let address = address(managed(&setup, ConnectionId::HERO)?)?;
            let key = PinnedHostKey {
                host: address.host,
                port: address.port,
                algorithm: "ssh-ed25519".to_owned(),
                sha256: ready.hero.host_key_sha256,
                accepted_at: Utc::now(),
                accepted_by: "practice district".to_owned(),
            };
            self.ledger(move |ledger| {
                let accepted = ledger.pinned_host_keys(&key.host, key.port)?;
                // Another practice district may have had the port before.
                if accepted.iter().all(|known| known.sha256 == key.sha256) {
                    ledger.pin_host_key(&key)
                } else {
                    ledger.replace_host_keys(&key)
                }
            })
            .await?;
        }
        let url = setup.powerschool.url.clone();
        let saving = self.saving_setup.lock().await;
        self.replace_setup(setup).await?;
        drop(saving);
        self.mark_practice(&url).await
    }

    /// The identity of the practice district at hand, asked before anything of the profile changes.
    async fn practice_district(&self, ready: &ReadyPowerSchool) -> Result<Option<String>, EngineError> {
        let settings = PowerSchoolSettings {
            url: ready.url.clone(),
            client_id: ready.client_id.clone(),
            extra_roots: vec![ready.ca_pem.clone()],
            ..PowerSchoolSettings::default()
        };
        let connection =
            Connection::from_settings(&settings, ready.client_secret.clone(), None, Timeouts::default())?;
        Ok(Client::new(connection)?.metadata().await?.district_uuid)
    }

    /// Maps every building to the school most like it, and every tardy code to the tardy code.
    async fn practice_mappings(&self, setup: &Setup) -> Result<Mappings, EngineError> {
        let server = self.meet(setup, true).await?;
        let pull = self.pull_from(&server, &Job::ALL, &CancellationToken::new(), &|_, _| ()).await?;
        let (roster, preferences) = (pull.roster, choices::preferences(&server.client).await);
        let (schools, presets) =
            blocking(move || Ok((roster.schools()?, choices::presets(&roster, &preferences)?))).await?;
        let folder = Path::new(&setup.raptor.folder);
        let buildings = choices::buildings_in(folder)?
            .into_iter()
            .map(|building| {
                let Some(school) = mapping::suggest_school(&building, &schools) else {
                    return BuildingMapping { building, enabled: true, ..BuildingMapping::default() };
                };
                let preset = presets.get(&school.number);
                BuildingMapping {
                    building,
                    school: Some(school.number),
                    school_name: school.name.clone(),
                    method: preset.map(|preset| preset.method),
                    bridge_period: preset.map(|preset| preset.bridge_period.clone()).unwrap_or_default(),
                    enabled: true,
                    ..BuildingMapping::default()
                }
            })
            .collect();
        let tardy_codes = choices::reasons_in(folder)?
            .into_iter()
            .map(|reason| TardyMapping { reason, code: PRACTICE_TARDY_CODE.to_owned(), active: true })
            .collect();
        Ok(Mappings { buildings, tardy_codes, replaceable_codes: BTreeSet::new() })
    }
}
