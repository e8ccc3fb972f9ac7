// An Express application that takes files with multer and tells what arrived, to the byte.
//
//   node upload_app.js <port> <folder>
'use strict';

const { createHash } = require('node:crypto');
const { appendFileSync } = require('node:fs');
const express = require('express');
const multer = require('multer');

const [port, folder] = process.argv.slice(2);
const app = express();
const files = multer({ storage: multer.memoryStorage(), limits: { fileSize: 64 * 1024 * 1024 } });

const page = (words) => `<!doctype html><meta charset=utf-8><title>Uploads</title><h1>${words}</h1>
<form method=post enctype=multipart/form-data>
<label>Title <input name=title></label> <label>Notes <textarea name=notes></textarea></label>
<label>Files <input type=file name=files multiple></label> <button id=send>Upload</button></form>`;

app.get('/uploads/', (_, answer) => answer.send(page('Uploads')));
app.get('/uploads/done', (_, answer) => answer.send(page('Your files have arrived')));
app.post('/uploads/', files.array('files', 10), (request, answer) => {
  const arrived = {
    title: request.body.title,
    notes: request.body.notes,
    files: request.files.map((file) => ({
      // Browsers send names in the page's encoding, multer reads them as Latin-1.
      name: Buffer.from(file.originalname, 'latin1').toString('utf8'),
      bytes: file.size,
      sha256: createHash('sha256').update(file.buffer).digest('hex'),
    })),
  };
  appendFileSync(`${folder}/uploads.jsonl`, `${JSON.stringify(arrived)}\n`);
  answer.redirect(303, '/uploads/done');
});

app.listen(Number(port), '127.0.0.1');
