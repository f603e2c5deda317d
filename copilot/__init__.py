"""The Django project, and everything that talks, proposes and acts."""
