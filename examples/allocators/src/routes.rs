//! What the service answers.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use otel_vitals::Vitals;
use serde::Deserialize;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::documents::{Document, Documents};
use crate::table;

/// Of the text of all documents, bytes.
const ROOM: usize = 32 << 20;
/// Of one document, bytes.
const LARGEST: usize = 4 << 20;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct State {
    documents: RwLock<Documents>,
    vitals: Vitals,
}

/// Where what is answered.
pub(crate) fn configure(state: &web::Data<State>, config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::clone(state))
        .app_data(web::PayloadConfig::new(LARGEST))
        .service(
            web::resource("/documents/{id}")
                .route(web::put().to(put))
                .route(web::get().to(get))
                .route(web::delete().to(delete)),
        )
        .route("/search", web::get().to(search))
        .route("/memstats", web::get().to(memstats))
        .route("/allocator", web::get().to(allocator));
}

impl State {
    pub(crate) fn new(vitals: Vitals) -> Self {
        State { documents: RwLock::new(Documents::with_room(ROOM)), vitals }
    }

    fn look(&self) -> RwLockReadGuard<'_, Documents> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Documents> {
        self.documents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn put(state: web::Data<State>, id: web::Path<String>, json: web::Bytes) -> HttpResponse {
    let document = match Document::parse(&json) {
        Ok(document) => document,
        Err(error) => return HttpResponse::BadRequest().body(error.to_string()),
    };
    let is_new = state.change().put(id.into_inner(), document);
    if is_new { HttpResponse::Created().finish() } else { HttpResponse::NoContent().finish() }
}

async fn get(state: web::Data<State>, id: web::Path<String>) -> HttpResponse {
    // Not in the `match`, which would keep the lock while the document is written.
    let document = state.look().get(&id);
    match document {
        Some(document) => HttpResponse::Ok().json(&document.value),
        None => HttpResponse::NotFound().finish(),
    }
}

async fn delete(state: web::Data<State>, id: web::Path<String>) -> HttpResponse {
    let was_there = state.change().delete(&id);
    if was_there { HttpResponse::NoContent().finish() } else { HttpResponse::NotFound().finish() }
}

#[derive(Deserialize)]
struct Query {
    text: String,
}

async fn search(state: web::Data<State>, query: web::Query<Query>) -> HttpResponse {
    let documents = state.look().all();
    let found = documents.into_iter().filter(|(_, document)| document.has(&query.text));
    let mut ids: Vec<String> = found.map(|(id, _)| id).collect();
    ids.sort_unstable();
    HttpResponse::Ok().json(ids)
}

async fn memstats(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(state.vitals.memstats().to_json())
}

async fn allocator() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(table::now())
}
