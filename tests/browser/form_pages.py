"""Forms as applications of other kinds have them; a part of `form_app`.

A brace that stands in the page is doubled.
"""

# Rails: fields that stand outside of their form, a method in a hidden field, names with brackets, a
# checkbox with a hidden twin, a library that disables the button once the form is on its way.
RAILS = """
<form method=post action=/papers/send id=edit_post accept-charset=UTF-8><input type=hidden name=_method value=patch>
<input type=hidden name=authenticity_token value={token}><input name=post[title]></form>
<aside><textarea name=post[body] form=edit_post></textarea>
<input type=hidden name=post[public] value=0 form=edit_post><input type=checkbox name=post[public] value=1 form=edit_post>
<input name=post[tags][] form=edit_post><input name=post[tags][] form=edit_post>
<button id=send name=commit value=Save form=edit_post data-disable-with=Saving>Save</button></aside>
<form method=post action=/papers/send id=sign_in><input name=user></form>
<input type=password name=password form=sign_in>
<script>document.addEventListener('submit', (event) => {{ event.submitter.disabled = true; }})</script>"""

# A wizard in one page: each step takes the place of the one before.
WIZARD = """
<form method=post action=/papers/send id=wizard><div id=step></div></form>
<script>
const steps = ['<label>Who <input name=who></label>', '<label>Story <textarea name=story></textarea></label>'];
const given = {{}}, form = document.forms[0];
const show = (at) => {{
  const last = at === steps.length - 1;
  for (const el of form.querySelectorAll('#step [name]')) given[el.name] = el.value;
  document.getElementById('step').innerHTML = steps[at] + (last ? '<button id=send>Send</button>' : '<button type=button id=next>Next</button>');
  if (!last) document.getElementById('next').onclick = () => show(at + 1);
}};
show(0);
form.addEventListener('formdata', (event) => {{ for (const name in given) if (!event.formData.has(name)) event.formData.set(name, given[name]); }});
</script>"""

# A form that is built after the page is there, as by a framework that waits for its data.
LATER = """
<main id=app>Loading…</main>
<script>setTimeout(() => {{ document.getElementById('app').innerHTML =
  '<form method=post action=/papers/send id=later><input name=who><textarea name=story></textarea><button id=send>Send</button></form>'; }}, 900)</script>"""

# No form at all: fields, a button, a script that sends JSON.
FORMLESS = """
<div><label>Who <input name=who></label><label>Story <textarea name=story></textarea></label>
<button id=send type=button>Send</button><p id=out></p></div>
<script>document.getElementById('send').onclick = async () => {{
  const [who, story] = document.querySelectorAll('[name]');
  const answer = await fetch('/papers/send', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }},
    body: JSON.stringify({{ who: who.value, story: story.value }}) }});
  document.getElementById('out').textContent = answer.ok ? 'Sent' : 'Error ' + answer.status;
}}</script>"""

# Vue with a router that writes the address itself, and forms that its own state rules.
VUE = """
<main id=app></main>
<script src=/lib/vue/dist/vue.global.prod.js></script>
<script src=/lib/vue-router/dist/{router}></script>
<script>
const Home = {{ template: '<p><router-link id=new to="/new">New</router-link></p>' }};
const New = {{
  data: () => ({{ who: '', tags: [], size: 's', agree: false, out: '' }}),
  template: `<form @submit.prevent="send"><input name=who v-model="who"><select multiple name=tags v-model="tags">
    <option value=a>A</option><option value=b>B</option></select><input type=radio name=size value=s v-model="size"><input type=radio name=size value=l v-model="size">
    <input type=checkbox name=agree v-model="agree"><output id=state>{{{{ who }}}}/{{{{ tags.join() }}}}/{{{{ size }}}}/{{{{ agree }}}}</output>
    <button id=send>Send</button> <router-link id=home to="/">Home</router-link><p id=out>{{{{ out }}}}</p></form>`,
  methods: {{
    async send() {{
      const {{ who, tags, size, agree }} = this;
      const answer = await fetch('/papers/send', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: JSON.stringify({{ who, tags, size, agree }}) }});
      if (answer.ok) this.$router.push('/done'); else this.out = 'Error ' + answer.status;
    }},
  }},
}};
const Done = {{ template: '<p id=thanks>Thank you</p>' }};
const routes = [['/', Home], ['/new', New], ['/done', Done]].map(([path, component]) => ({{ path, component }}));
Vue.createApp({{ template: '<router-view/>' }}).use(VueRouter.createRouter({{ history: VueRouter.createWebHistory('/papers/vue'), routes }})).mount('#app');
</script>""".replace("{router}", "vue-router.global.prod.js")

PAGES = {"rails": RAILS, "wizard": WIZARD, "later": LATER, "formless": FORMLESS, "vue": VUE}
